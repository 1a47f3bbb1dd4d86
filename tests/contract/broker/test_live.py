"""Calls of GPT-Live as pages and admins meet them: over HTTP, against a scripted endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_routes import SDP, refused
from tests.support.app_settings import API_KEY, LINKED
from tests.support.call_location import call_path
from tests.support.live_replies import (
    SESSION,
    SESSIONS,
    created,
    hangup_path,
    live_refusal,
)
from tests.support.offers import OFFER
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import ANSWER, RESET, Said, Upstream

ADMIN = signed_in("4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51", "admin")
PAGE = "https://pages.example.com"
LIVE = {"profile": "live"}


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, "ALLOWED_ORIGINS": PAGE}


@pytest.mark.parametrize("route", ["/api/connect", "/api/session"])
async def test_an_offer_gets_its_answer_a_handle_and_the_api(
    app: AppClient, endpoint: Upstream, route: str
) -> None:
    headers = {**SDP, "Origin": PAGE}
    response = await app.post(route, params=LIVE, data=OFFER, headers=headers)
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert await response.text() == ANSWER
    assert response.headers["X-Voice-Api"] == "live"
    exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"X-Voice-Api", "Location"} <= set(exposed)
    assert endpoint.count(SESSIONS) == 1


async def test_a_realtime_call_says_so_too(app: AppClient) -> None:
    response = await app.post("/api/connect", data=OFFER, headers=SDP)
    assert (response.status, response.headers["X-Voice-Api"]) == (201, "realtime")


async def test_the_session_and_its_id_reach_nobody(app: AppClient, endpoint: Upstream) -> None:
    response = await app.post("/api/connect", params=LIVE, data=OFFER, headers=SDP)
    status = await app.get(call_path(response))
    told = f"{response.headers} {await response.text()} {await status.text()}"
    for secret in (SESSION, "help desk", "order_status", API_KEY):
        assert secret not in told
    sent = endpoint.asked[-1].json()["session"]
    assert "help desk" in sent["instructions"]
    lists = sent["client"]["data_channel"]
    assert "session.update" not in lists["allowed_client_events"]
    assert not {"session.started", "session.updated", "session.closed"} & {
        each["type"] for each in lists["allowed_server_events"]
    }
    assert sent["delegation"]["responses"]["tools"][0]["parameters"]["type"] == "object"
    # Azure documents none of the optional ones.
    assert sent.keys() == {"model", "instructions", "audio", "delegation", "client"}


async def test_its_owner_watches_and_ends_it(app: AppClient, endpoint: Upstream) -> None:
    response = await app.post("/api/connect", params=LIVE, data=OFFER, headers=SDP)
    place = call_path(response)
    status = await (await app.get(place)).json()
    assert (status["status"], status["api"]) == ("live", "live")
    assert (await app.post(f"{place}/hangup")).status == 204
    assert (await app.post(f"{place}/hangup")).status == 204
    assert endpoint.count(hangup_path()) == 2
    assert (await (await app.get(place)).json())["ended_by"] == "caller"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_there_is_no_key_for_it(app: AppClient, endpoint: Upstream, method: str) -> None:
    response = await app.request(method, "/api/token", params=LIVE)
    problem = await refused(response, 400, "live_without_keys")
    assert "/api/connect" in problem["hint"]
    registered = await app.post("/api/calls", params=LIVE, json={"call_id": "rtc_1"})
    await refused(registered, 400, "live_without_keys")
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (live_refusal(400, "unknown_parameter", "session.client"), 502, "data_channel_refused"),
        (live_refusal(400, "unknown_parameter", "session.x"), 502, "profile_refused"),
        (live_refusal(404, "DeploymentNotFound"), 502, "live_model_not_found"),
        (live_refusal(404, "x", "session.delegation.responses.model"), 502, "delegation_model"),
        (live_refusal(429, "rate_limit_exceeded"), 503, "live_sessions_full"),
        (live_refusal(500, "credit_balance_exhausted"), 502, "upstream_credit_exhausted"),
        (live_refusal(400, "invalid_value", "transport.sdp"), 400, "offer_refused"),
        (Said(404), 502, "live_not_served"),
        (Said(500), 502, "upstream_failed"),
        (Said(201, b"garbage"), 502, "upstream_failed"),
        (created(sdp=None), 502, "upstream_failed"),
    ],
)
async def test_what_goes_wrong_is_a_clear_problem(
    app: AppClient, endpoint: Upstream, reply: Any, status: int, code: str
) -> None:
    endpoint.on(SESSIONS, reply)
    response = await app.post("/api/connect", params=LIVE, data=OFFER, headers=SDP)
    problem = await response.json()
    assert response.status == status
    assert problem["code"].startswith(code)
    assert "words of upstream" not in str(problem)
    assert endpoint.count(SESSIONS) == 1
    named = reply.status == 201 and SESSION.encode() in reply.body
    assert endpoint.count(hangup_path()) == named


async def test_admins_see_and_end_it(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= LINKED
    await app.post("/api/connect", params=LIVE, data=OFFER, headers={**SDP, **ADMIN})
    listed = await (await app.get("/api/calls", headers=ADMIN)).json()
    call = next(each for each in listed["calls"] if each["profile"] == "live")
    assert (call["api"], call["model"]) == ("live", "gpt-live-1")
    assert SESSION not in str(listed)
    events = f"/api/calls/{call['id']}/events"
    event = {"type": "session.update", "session": {}}
    await refused(await app.post(events, json=event, headers=ADMIN), 400, "invalid_event")
    assert (await app.post(f"/api/calls/{call['id']}/hangup", headers=ADMIN)).status == 204
    assert endpoint.count(hangup_path()) == 1


async def failing(app: AppClient) -> dict[str, str]:
    answer = await app.get("/api/health/deep", headers=ADMIN)
    checks = (await answer.json())["checks"]
    assert {"live", "live_hangup"} <= {check["name"] for check in checks}
    return {check["name"]: check["code"] for check in checks if check["status"] == "failing"}


async def test_the_deep_check_tries_it_and_starts_nothing(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= LINKED
    assert await failing(app) == {}
    assert all(
        "transport" not in asked.json() for asked in endpoint.asked if asked.path == SESSIONS
    )


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Said(404), "live_not_served"),
        (live_refusal(401, "invalid_api_key"), "upstream_access_denied"),
        (live_refusal(400, "unknown_parameter", "session.client"), "data_channel_refused"),
    ],
)
async def test_the_deep_check_tells_where_it_is_not_served(
    app: AppClient, endpoint: Upstream, settings: dict[str, str], reply: Said, code: str
) -> None:
    settings |= LINKED
    endpoint.on(SESSIONS, reply)
    assert await failing(app) == {"live": code}


async def test_a_create_whose_answer_is_lost_is_on_record(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= LINKED
    endpoint.on(SESSIONS, RESET)
    headers = {**SDP, **ADMIN}
    response = await app.post("/api/connect", params=LIVE, data=OFFER, headers=headers)
    await refused(response, 502, "upstream_unreachable")
    listed = await (await app.get("/api/calls", headers=ADMIN)).json()
    lost = next(each for each in listed["calls"] if each["profile"] == "live")
    assert (lost["status"], lost["ended_by"]) == ("ended", "no answer")
    assert lost["failures"] == {"call_left_running": {"upstream_unreachable": 1}}
    assert endpoint.count(SESSIONS) == 1
    path = f"/api/calls/{lost['id']}"
    shown = await app.get(f"{path}/transcript", headers=ADMIN)
    assert (shown.status, (await shown.json())["transcript"]["entries"]) == (200, [])
    await refused(await app.get(f"{path}/recording", headers=ADMIN), 404, "recording_not_found")
    assert (await app.delete(f"{path}/transcript", headers=ADMIN)).status == 204


async def connect(app: AppClient) -> Any:
    return await app.post("/api/connect", params=LIVE, data=OFFER, headers=SDP)


@pytest.mark.usefixtures("own_storage")
async def test_no_more_sessions_are_created_than_the_provider_allows(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= {"LIVE_MAX_SESSIONS": "1"}
    first = await connect(app)
    second = await connect(app)
    problem = await refused(second, 429, "live_sessions_busy")
    assert "LIVE_MAX_SESSIONS" in problem["hint"]
    assert 0 < int(second.headers["Retry-After"]) <= 60
    assert endpoint.count(SESSIONS) == 1, "nothing is sent for a session that is not admitted"
    assert (await app.post("/api/connect", data=OFFER, headers=SDP)).status == 201, "Realtime is"
    await app.post(f"{call_path(first)}/hangup")
    assert (await connect(app)).status == 201


@pytest.mark.usefixtures("own_storage")
async def test_a_session_that_was_refused_takes_nobodys_place(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= {"LIVE_MAX_SESSIONS": "1", "LIMIT_SECONDS_PER_DAY": "100"}
    endpoint.on(SESSIONS, live_refusal(400, "unknown_parameter", "session.x"))
    await connect(app)
    endpoint.on(SESSIONS, created())
    assert (await connect(app)).status == 201


@pytest.mark.usefixtures("own_storage")
async def test_a_session_whose_answer_was_lost_costs_its_caller_what_it_costs_at_least(
    app: AppClient, endpoint: Upstream, settings: dict[str, str]
) -> None:
    settings |= {"LIMIT_SECONDS_PER_DAY": "29"}
    endpoint.on(SESSIONS, live_refusal(400, "unknown_parameter", "session.x"))
    await connect(app)
    endpoint.on(SESSIONS, RESET)
    await refused(await connect(app), 502, "upstream_unreachable")
    await refused(await connect(app), 429, "seconds_used_up")


@pytest.mark.usefixtures("own_storage")
async def test_a_session_ends_when_its_callers_time_of_the_day_does(
    app: AppClient, settings: dict[str, str]
) -> None:
    settings |= {"LIMIT_SECONDS_PER_DAY": "40"}
    call = await (await app.get(call_path(await connect(app)))).json()
    begun, ends = (datetime.fromisoformat(call[name]) for name in ("started_at", "ends_at"))
    assert timedelta(seconds=38) < ends - begun <= timedelta(seconds=40)
    await refused(await connect(app), 429, "seconds_used_up")
