"""A call that a page started with a key is the caller's whose key it was, and nobody else's."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientResponse

from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_routes import SDP, refused
from tests.support.app_settings import LINKED
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream, answer_reply, refusal

CALLS = "/openai/v1/realtime/calls"


@pytest.fixture
def settings(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Behind a Static Web App, with a profile for staff and one for everybody besides `default`."""
    session = {"type": "realtime", "instructions": "Be brief."}
    content: dict[str, Any] = {"session": session}
    (tmp_path / "sales.json").write_text(json.dumps(content))
    for name, roles in {"default": [], "staff": ["staff", "admin"]}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**content, "roles": roles}))
    return {
        **settings,
        **LINKED,
        "REALTIME_PROFILES": str(tmp_path),
        "LIMIT_LIVE_CALLS": "2",
    }


def somebody(name: str, *roles: str) -> dict[str, str]:
    """A caller whom no other test knows: storage in memory outlives a test."""
    return signed_in(f"{name}-{uuid4().hex}", *roles)


def new_id() -> str:
    return f"rtc_{uuid4().hex}"


async def get_key(app: AppClient, caller: dict[str, str], profile: str = "default") -> None:
    response = await app.post(f"/api/token?profile={profile}", headers=caller)
    assert response.status == 200


async def register(
    app: AppClient, caller: dict[str, str], call_id: Any, profile: str = "default"
) -> ClientResponse:
    body = {"call_id": call_id}
    return await app.post(f"/api/calls?profile={profile}", json=body, headers=caller)


def hang_ups(endpoint: Upstream) -> list[str]:
    return [asked.path for asked in endpoint.asked if asked.path.endswith("/hangup")]


async def test_a_made_up_id_sends_nothing_upstream(app: AppClient, endpoint: Upstream) -> None:
    for _ in range(3):
        response = await register(app, somebody("mallory"), new_id())
        await refused(response, 403, "registration_refused")
    assert endpoint.asked == []


@pytest.mark.parametrize("started_with", ["connect", "token"])
async def test_a_caller_at_the_limit_sends_nothing_upstream(
    app: AppClient, endpoint: Upstream, started_with: str
) -> None:
    mallory = somebody("mallory")
    for _ in range(2):
        if started_with == "connect":
            endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{new_id()}"))
            await app.post("/api/connect", data=OFFER, headers={**SDP, **mallory})
        else:
            await get_key(app, mallory)
            assert (await register(app, mallory, new_id())).status == 201
    asked = len(endpoint.asked)
    for _ in range(5):
        await refused(await register(app, mallory, new_id()), 403, "registration_refused")
    assert len(endpoint.asked) == asked


@pytest.mark.parametrize("started_with", ["connect", "token"])
async def test_a_call_of_another_is_not_taken_over(
    app: AppClient, endpoint: Upstream, started_with: str
) -> None:
    ada, mallory, call_id = somebody("ada"), somebody("mallory"), new_id()
    if started_with == "connect":
        endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{call_id}"))
        started = await app.post("/api/connect", data=OFFER, headers={**SDP, **ada})
    else:
        await get_key(app, ada)
        started = await register(app, ada, call_id)
    assert started.status == 201
    without_key = await refused(await register(app, mallory, call_id), 403, "registration_refused")
    await get_key(app, mallory)
    with_key = await refused(await register(app, mallory, call_id), 403, "registration_refused")
    of_nobody = await refused(
        await register(app, somebody("mallory"), new_id()), 403, "registration_refused"
    )
    for problem in (without_key, with_key, of_nobody):
        del problem["request_id"]
    assert without_key == with_key == of_nobody, "the answer says nothing about others' calls"
    assert hang_ups(endpoint) == []
    shown = await app.get(call_path(started), headers=ada)
    assert (await shown.json())["status"] == "live"
    assert (await register(app, mallory, new_id())).status == 201, "the key is still unused"


async def test_a_key_registers_its_own_profile_alone(app: AppClient, endpoint: Upstream) -> None:
    ada, call_id = somebody("ada"), new_id()
    await get_key(app, ada, "sales")
    await refused(await register(app, ada, call_id, "default"), 403, "registration_refused")
    assert (await register(app, ada, call_id, "sales")).status == 201
    assert hang_ups(endpoint) == []


@pytest.mark.parametrize("limit", ["0", "5"])
async def test_one_key_registers_one_call(
    settings: dict[str, str], app: AppClient, endpoint: Upstream, limit: str
) -> None:
    settings["LIMIT_LIVE_CALLS"] = limit
    ada = somebody("ada")
    await get_key(app, ada)
    assert (await register(app, ada, new_id())).status == 201
    await refused(await register(app, ada, new_id()), 403, "registration_refused")
    assert hang_ups(endpoint) == []


async def test_a_call_registered_again_is_the_same_call(app: AppClient, endpoint: Upstream) -> None:
    ada, call_id = somebody("ada"), new_id()
    await get_key(app, ada)
    await get_key(app, ada)
    first, second = [await register(app, ada, call_id) for _ in range(2)]
    assert (first.status, second.status) == (201, 201)
    endpoint.on(f"{CALLS}/{call_id}/hangup", Said(200), refusal(404, "call_id_not_found"))
    await app.post(call_path(second) + "/hangup", headers=ada)
    shown = await app.get(call_path(first), headers=ada)
    assert (await shown.json())["status"] == "ended"
    assert (await register(app, ada, new_id())).status == 201, "it took one key"


@pytest.mark.parametrize(
    "call_id",
    [
        "",
        "rtc_",
        "rtc_a/../b",
        "rtc_a?x=1",
        "rtc_é",
        "rtc_a\n",
        "sess_1",
        "r" * 300,
        7,
        None,
        ["rtc_a"],
    ],
)
async def test_what_is_no_call_id_is_refused(
    app: AppClient, endpoint: Upstream, call_id: Any
) -> None:
    ada = somebody("ada")
    await get_key(app, ada)
    await refused(await register(app, ada, call_id), 400, "invalid_call_id")
    assert endpoint.count(CALLS) == 0
    assert hang_ups(endpoint) == []


async def test_the_longest_call_id_fits_into_a_handle(app: AppClient, endpoint: Upstream) -> None:
    ada, call_id = somebody("ada"), f"{new_id():x<132}"
    await get_key(app, ada)
    registered = await register(app, ada, call_id)
    assert registered.status == 201
    assert (await app.get(call_path(registered), headers=ada)).status == 200
    await refused(await register(app, ada, call_id + "x"), 400, "invalid_call_id")


async def test_no_log_has_a_call_id(
    app: AppClient, endpoint: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    ada, mallory, registered, started = somebody("ada"), somebody("mallory"), new_id(), new_id()
    endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{started}"))
    with caplog.at_level(logging.INFO):
        connected = await app.post("/api/connect", data=OFFER, headers={**SDP, **ada})
        await get_key(app, ada)
        await register(app, ada, registered)
        await register(app, mallory, registered)
        endpoint.on(f"{CALLS}/{started}/hangup", refusal(403))
        await app.post(call_path(connected) + "/hangup", headers=ada)
    assert "call registered" in caplog.text
    assert "rtc_" not in caplog.text


@pytest.mark.parametrize("route", ["/api/connect", "/api/session", "/api/token", "/api/calls"])
async def test_a_profile_with_roles_is_for_callers_who_have_one(
    app: AppClient, endpoint: Upstream, route: str
) -> None:
    async def ask(caller: dict[str, str]) -> ClientResponse:
        if route == "/api/calls":
            return await register(app, caller, new_id(), "staff")
        return await app.post(f"{route}?profile=staff", data=OFFER, headers={**SDP, **caller})

    await refused(await ask(somebody("ada")), 403, "profile_not_allowed")
    assert endpoint.asked == []
    bob = somebody("bob", "staff")
    if route == "/api/calls":
        await get_key(app, bob, "staff")
    assert (await ask(bob)).status in (200, 201)


@pytest.mark.parametrize("switch", ["on", "off"])
async def test_the_log_says_at_start_what_keys_can_do(
    settings: dict[str, str], app: AppClient, caplog: pytest.LogCaptureFixture, switch: str
) -> None:
    settings["TOKEN_ENDPOINT"] = switch
    with caplog.at_level(logging.INFO):
        assert (await app.get("/api/health")).status == 200
        await app.get("/api/health")
    assert caplog.text.count("TOKEN_ENDPOINT=off") == (1 if switch == "on" else 0)
