"""What admins see of several endpoints: where calls start, which one refuses, which part fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.api import lazy_broker
from shared.core.clock import utc_now
from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_admission import ADMIN
from tests.contract.broker.test_routes import SDP
from tests.support.app_settings import LINKED
from tests.support.broker_programs import scripted_endpoint
from tests.support.offers import OFFER
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream, refusal

pytestmark = pytest.mark.usefixtures("own_storage")
KEYS = "/openai/v1/realtime/client_secrets"
CALLERS = 12


@pytest.fixture
def sweden() -> Iterator[Upstream]:
    """A second endpoint."""
    with scripted_endpoint() as script:
        yield script


@pytest.fixture
def settings(endpoint: Upstream, sweden: Upstream, settings: dict[str, str]) -> dict[str, str]:
    """A broker of two endpoints."""
    endpoints = [
        {"name": "default", "endpoint": endpoint.url, "region": "eastus2"},
        {"name": "sweden", "endpoint": sweden.url, "region": "swedencentral"},
    ]
    several = {**settings, **LINKED, "REALTIME_ENDPOINTS": json.dumps(endpoints)}
    return {name: value for name, value in several.items() if name != "REALTIME_ENDPOINT"}


async def start_calls(app: AppClient) -> list[int]:
    """One call of each caller; the statuses."""
    return [
        (
            await app.post("/api/connect", data=OFFER, headers={**SDP, **signed_in(f"{n:032x}")})
        ).status
        for n in range(CALLERS)
    ]


async def shown(app: AppClient) -> dict[str, dict[str, Any]]:
    answer = await app.get("/api/endpoints", headers=ADMIN)
    assert answer.status == 200, await answer.text()
    return {each["name"]: each for each in (await answer.json())["endpoints"]}


async def test_calls_are_shared_out_and_counted_where_they_started(
    app: AppClient, endpoint: Upstream, sweden: Upstream
) -> None:
    assert set(await start_calls(app)) == {201}
    found = await shown(app)
    offers = "/openai/v1/realtime/calls"
    asked = {"default": endpoint.count(offers), "sweden": sweden.count(offers)}
    assert {name: each["starts"] for name, each in found.items()} == asked
    assert min(asked.values()) > 0
    assert [(each["region"], each["state"], each["refusals"]) for each in found.values()] == [
        ("eastus2", "well", 0),
        ("swedencentral", "well", 0),
    ]
    assert "default" in found["sweden"]["profiles"]


async def test_an_endpoint_without_quota_is_seen_to_cool_and_its_callers_elsewhere(
    app: AppClient, sweden: Upstream
) -> None:
    sweden.on(KEYS, Said(429, refusal(429).body, {"Retry-After": "60"}))
    assert set(await start_calls(app)) == {201}
    found = await shown(app)
    assert (found["default"]["starts"], found["sweden"]["starts"]) == (CALLERS, 0)
    cooling = found["sweden"]
    assert (cooling["state"], cooling["reason"]) == ("cooling", "quota")
    assert cooling["cooling_models"] == ["gpt-realtime"]
    assert cooling["refused_for"] == {"quota": cooling["refusals"]} == {"quota": 1}
    failures = await (await app.get("/api/failures", headers=ADMIN)).json()
    assert failures["failures"] == [], "no caller was refused"


async def test_the_last_refusals_of_an_endpoint_are_written_when_the_process_ends(
    app: AppClient, sweden: Upstream
) -> None:
    sweden.on(KEYS, refusal(429))
    await start_calls(app)
    broker = lazy_broker.PROCESS.opened
    assert broker
    await asyncio.to_thread(lazy_broker.write_refusals)
    counts = broker.stores.endpoint_refusals.counts
    assert {name for name, _ in counts.of_day(utc_now().date())} == {"sweden"}


async def test_deep_health_says_which_endpoint_fails(app: AppClient, sweden: Upstream) -> None:
    sweden.on(KEYS, refusal(404, "DeploymentNotFound"))
    answer = await app.get("/api/health/deep", headers=ADMIN)
    checks = (await answer.json())["checks"]
    assert answer.status == 503
    parts = ("credential", "model", "calls", "live", "live_hangup")
    for name in ("default", "sweden"):
        of_one = [check for check in checks if check.get("endpoint") == name]
        assert [check["name"] for check in of_one] == [*parts]
    assert {check["name"] for check in checks if "endpoint" not in check} == {"secret", "storage"}
    [failing] = [check for check in checks if check["status"] == "failing"]
    assert (failing["name"], failing["endpoint"]) == ("model", "sweden")
    assert failing["code"] == "deployment_not_found"
