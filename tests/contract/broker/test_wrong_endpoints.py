"""`/api/health/deep` with a wrong endpoint or gateway names the part that fails, and the remedy."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.broker.conftest import AppClient
from tests.support.app_settings import API_KEY, LINKED
from tests.support.broker_programs import ROOT
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import RESET, Reply, Said, Upstream, key_reply, refusal

ADMIN = signed_in("4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51", "admin")
REPORTED: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "fixtures/cases/upstream-errors.json").read_text()
)
REMEDIES = {
    "azure-sql-db-chatbot#3": ("upstream_network_rules", "Networking"),
    "autogen#3953": ("endpoint_not_found", "REALTIME_ENDPOINT"),
    "azure-sdk-for-net#12789": ("custom_subdomain_missing", "https://<resource>"),
    "home-assistant/core#120072": ("upstream_country", "country"),
    "langchainjs#1929": ("upstream_credit_exhausted", "credit"),
    "livekit/agents#3398": ("profile_refused", "profile"),
    "ai-rag-chat-evaluator#94 (tenant id put in)": ("upstream_wrong_tenant", "tenant"),
}
CONTROLS = {
    404: ("deployment_not_found", "REALTIME_MODEL"),
    401: ("upstream_access_denied", "check the key"),
}
MINT, CALLS, HANGUP, SIDEBAND = "/client_secrets", "/calls", "/calls/{}/hangup", ""
NO_CALL = "rtc_0000000000000000000000000000dead"


def apim(status: int, message: str) -> Said:
    return Said(status, json.dumps({"statusCode": status, "message": message}).encode())


MISSING = apim(404, "Resource not found")
NO_KEY = apim(401, "Access denied due to missing subscription key.")
EPHEMERAL = refusal(401, "401", "This operation requires ephemeral tokens for authentication.")
WELL: Final[dict[str, Reply]] = {
    MINT: key_reply(),
    CALLS: refusal(400, "invalid_offer", "Failed to parse offer: EOF"),
    HANGUP: refusal(404, "call_id_not_found"),
    SIDEBAND: refusal(404, "call_id_not_found"),
}
GATEWAY = {
    "REALTIME_GATEWAY_HEADER": "Ocp-Apim-Subscription-Key",
    "REALTIME_GATEWAY_KEY": "gateway-key",
    "OBSERVER": "eager",
}


@dataclass
class World:
    """What differs from one that is well: replies by route, settings, the endpoint's path."""

    name: str
    replies: dict[str, Reply]
    failing: dict[str, str]
    remedy: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    base: str = "/openai/v1/realtime"


def world_of(case: dict[str, Any]) -> World:
    code, remedy = REMEDIES.get(case["source"]) or CONTROLS[case["status"]]
    said = Said(case["status"], json.dumps(case["body"]).encode(), case.get("headers", {}))
    openai = case["provider"] == "openai"
    return World(
        f"{case['status']} {case['source']}",
        {MINT if case["on"] == "mint" else CALLS: said},
        {"model" if case["on"] == "mint" else "calls": code},
        remedy,
        {"REALTIME_PROVIDER": case["provider"]},
        "/v1/realtime" if openai else "/openai/v1/realtime",
    )


BEHIND = "/voice/openai/v1/realtime"
WORLDS = [
    *(world_of(case) for case in REPORTED),
    World("nobody there", {MINT: RESET}, {"model": "upstream_unreachable"}, "REALTIME_ENDPOINT"),
    World("a gateway that is well", {}, {}, settings=GATEWAY, base=BEHIND),
    World(
        "a wrong path",
        {MINT: MISSING, CALLS: MISSING, HANGUP: MISSING, SIDEBAND: MISSING},
        {
            "model": "endpoint_not_found",
            "hangup": "endpoint_not_found",
            "sideband": "sideband_not_served",
        },
        "the path in front of /openai/v1",
        GATEWAY,
        BEHIND,
    ),
    World(
        "a wrong key of the gateway",
        {MINT: NO_KEY, CALLS: NO_KEY, HANGUP: NO_KEY, SIDEBAND: NO_KEY},
        dict.fromkeys(("model", "hangup", "sideband"), "gateway_key_refused"),
        "REALTIME_GATEWAY_HEADER",
        GATEWAY,
        BEHIND,
    ),
    World(
        "a key for offers too",
        {CALLS: NO_KEY},
        {"calls": "gateway_key_refused"},
        "REALTIME_GATEWAY_HEADER",
        GATEWAY,
        BEHIND,
    ),
    World(
        "a replaced ephemeral key",
        {CALLS: EPHEMERAL},
        {"calls": "gateway_replaces_key"},
        "Authorization",
        GATEWAY,
        BEHIND,
    ),
    World(
        "no offers",
        {CALLS: MISSING},
        {"calls": "endpoint_not_found"},
        "/openai/v1",
        GATEWAY,
        BEHIND,
    ),
    World(
        "no hang-ups",
        {HANGUP: MISSING},
        {"hangup": "endpoint_not_found"},
        "/openai/v1",
        GATEWAY,
        BEHIND,
    ),
    *(
        World(
            f"no WebSockets: {name}",
            {SIDEBAND: said},
            {"sideband": "sideband_not_served"},
            "REALTIME_SIDEBAND_ENDPOINT",
            GATEWAY,
            BEHIND,
        )
        for name, said in {
            "404": MISSING,
            "a page": Said(200, b"<html>"),
            "426": Said(426),
            "501": Said(501),
            "405": Said(405),
            "a redirect": Said(302, b"", {"Location": "https://elsewhere.example"}),
        }.items()
    ),
    World(
        "a sideband behind network rules",
        {SIDEBAND: refusal(403, "403", "Access denied due to Virtual Network/Firewall rules.")},
        {"sideband": "upstream_network_rules"},
        "Networking",
        GATEWAY,
        BEHIND,
    ),
    World(
        "a sideband that nobody answers",
        {SIDEBAND: RESET},
        {"sideband": "upstream_unreachable"},
        "REALTIME_ENDPOINT",
        GATEWAY,
        BEHIND,
    ),
    World(
        "no WebSockets, as the settings say",
        {SIDEBAND: MISSING},
        {},
        settings={**GATEWAY, "OBSERVER": "off", "REALTIME_SIDEBAND_ENDPOINT": "off"},
        base=BEHIND,
    ),
    World("a plain endpoint's sideband", {}, {}, settings={"OBSERVER": "eager"}),
    World(
        "a firewall that eats offers",
        {CALLS: Said(403, b"<html>The request is blocked.</html>")},
        {"calls": "upstream_forbidden"},
        "firewall",
    ),
]


@pytest.fixture(params=WORLDS, ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.param
    return found


@pytest.fixture
def settings(
    settings: dict[str, str], endpoint: Upstream, world: World, tmp_path: Path
) -> dict[str, str]:
    # What is about GPT-Live is in test_live.py.
    shutil.copy(ROOT / "profiles" / "default.json", tmp_path)
    for route, said in {**WELL, **world.replies}.items():
        endpoint.on(world.base + route.format(NO_CALL), said)
    return {
        **settings,
        "REALTIME_ENDPOINT": endpoint.url + ("/voice" if world.base == BEHIND else ""),
        "REALTIME_PROFILES": str(tmp_path),
        **LINKED,
        **world.settings,
    }


async def test_deep_health_names_the_part_that_fails_and_its_remedy(
    app: AppClient, world: World, endpoint: Upstream
) -> None:
    response = await app.get("/api/health/deep", headers=ADMIN)
    content = await response.json()
    failing = {
        each["name"]: each for each in content["checks"] if each["status"] not in ("ok", "skipped")
    }
    assert {name: each["code"] for name, each in failing.items()} == world.failing
    assert response.status == (503 if world.failing else 200)
    if world.failing:
        first = next(iter(failing.values()))
        assert world.remedy in first["hint"]
    assert API_KEY not in str(content)
    dialled = [each for each in endpoint.asked if "call_id=" in each.path]
    assert bool(dialled) == ("sideband" in {each["name"] for each in content["checks"]})
