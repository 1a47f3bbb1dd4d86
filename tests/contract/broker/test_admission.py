"""Who is admitted. Nothing is sent upstream for anyone else, and they are told why."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from multidict import CIMultiDict

from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_routes import SDP, refused
from tests.support.app_settings import LINKED
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.principals import signed_in
from tests.support.scripted_endpoint import Said, Upstream, refusal

ROUTES = ["/api/connect", "/api/session", "/api/token"]
USER = "4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51"
ADMIN = signed_in(USER, "admin")


def somebody(**changes: Any) -> dict[str, str]:
    """A user who is signed in."""
    return signed_in(USER, **{"userDetails": "somebody@example.com", **changes})


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, **LINKED}


@pytest.mark.parametrize("route", ROUTES)
async def test_a_signed_in_user_is_admitted(app: AppClient, endpoint: Upstream, route: str) -> None:
    response = await app.post(route, data=OFFER, headers={**SDP, **somebody()})
    assert response.status in (200, 201)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "sign_in_required"),
        (somebody(userRoles=["anonymous"]), 401, "invalid_credentials"),
        (somebody(userId=""), 401, "invalid_credentials"),
        (somebody(auth_typ="aad"), 401, "invalid_credentials"),
        ({"x-ms-client-principal": "not base64!"}, 401, "invalid_credentials"),
        ({"x-ms-client-principal": "e30="}, 401, "invalid_credentials"),
        ({**somebody(), "Sec-Fetch-Site": "cross-site"}, 403, "origin_not_allowed"),
        ({**somebody(), "Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"Authorization": "Bearer ey.ey.sig"}, 401, "sign_in_required"),
    ],
)
async def test_everybody_else_is_refused_and_nothing_goes_upstream(
    app: AppClient,
    endpoint: Upstream,
    route: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    response = await app.post(route, data=OFFER, headers={**SDP, **headers})
    await refused(response, status, code)
    if route == "/api/connect":
        # A page that asks before it asks for the microphone is told the same.
        await refused(await app.get(route, headers=headers), status, code)
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("x-ms-client-principal", somebody()["x-ms-client-principal"], 401, "invalid_credentials"),
        ("Sec-Fetch-Site", "same-origin", 403, "origin_not_allowed"),
    ],
)
async def test_a_header_that_is_sent_twice_opens_nothing(
    app: AppClient, endpoint: Upstream, name: str, value: str, status: int, code: str
) -> None:
    sent = CIMultiDict({**SDP, **somebody()})
    sent.popall(name, None)
    for each in (value, value):
        sent.add(name, each)
    response = await app.post("/api/connect", data=OFFER, headers=sent)
    await refused(response, status, code)
    assert endpoint.asked == []


async def test_a_principal_that_the_platform_does_not_vouch_for_is_not_trusted(
    settings: dict[str, str], app: AppClient, endpoint: Upstream
) -> None:
    settings["WEBSITE_AUTH_ENABLED"] = "False"
    response = await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    problem = await refused(response, 401, "sign_in_required")
    assert "not known to be linked" in problem["detail"]
    assert endpoint.asked == []


async def test_a_listed_origin_may_call_and_read_and_no_other(
    settings: dict[str, str], app: AppClient
) -> None:
    settings["ALLOWED_ORIGINS"] = "https://pages.example.com"
    listed = {"Origin": "https://pages.example.com", "Sec-Fetch-Site": "cross-site"}
    ask = {"Access-Control-Request-Method": "POST"}
    preflight = await app.options("/api/connect", headers={**listed, **ask})
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://pages.example.com"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    for headers, status in (({**SDP, **somebody()}, 201), (SDP, 401)):
        answer = await app.post("/api/connect", data=OFFER, headers={**headers, **listed})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == "https://pages.example.com"
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]
        assert "*" not in answer.headers["Access-Control-Allow-Origin"]
    other = {**ask, "Origin": "https://evil.example"}
    refused_one = await app.options("/api/connect", headers=other)
    await refused(refused_one, 403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in refused_one.headers


async def test_a_stolen_handle_is_useless_to_another_caller(
    app: AppClient, endpoint: Upstream
) -> None:
    started = await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    place = call_path(started)
    asked = len(endpoint.asked)
    for method, path in (("GET", place), ("POST", place + "/hangup")):
        response = await app.request(method, path, headers=signed_in("a-thief"))
        await refused(response, 404, "call_not_found")
    assert len(endpoint.asked) == asked


async def test_the_user_id_is_neither_logged_nor_sent_on(
    app: AppClient, endpoint: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        started = await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    everything = caplog.text + str(started.headers) + str(endpoint.asked)
    assert USER not in everything
    assert "somebody@example.com" not in everything


@pytest.mark.parametrize("route", ["/api/health/deep", "/api/health?deep=1"])
async def test_deep_health_is_for_admins_and_names_what_fails(
    app: AppClient, endpoint: Upstream, route: str
) -> None:
    await refused(await app.get(route), 401, "sign_in_required")
    plain = await app.get(route, headers=somebody())
    await refused(plain, 403, "role_required")
    assert endpoint.asked == []

    well = await app.get(route, headers=ADMIN)
    content = await well.json()
    assert (well.status, content["status"]) == (200, "ok")
    assert [check["name"] for check in content["checks"]] == [
        "secret",
        "credential",
        "storage",
        "model",
        "calls",
        "live",
        "live_hangup",
    ]
    assert endpoint.asked[0].json()["expires_after"]["seconds"] == 10
    assert "ek_test_one" not in str(content)

    endpoint.on("/openai/v1/realtime/client_secrets", refusal(404, "DeploymentNotFound"))
    failing = await app.get(route, headers=ADMIN)
    content = await failing.json()
    assert (failing.status, content["status"]) == (503, "failing")
    (model,) = [check for check in content["checks"] if check["status"] == "failing"]
    assert (model["name"], model["code"]) == ("model", "deployment_not_found")
    assert "REALTIME_MODEL" in model["hint"]


async def test_an_admin_ends_any_call_by_its_id_and_nobody_else_does(
    app: AppClient, endpoint: Upstream
) -> None:
    hangup = "/openai/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef/hangup"
    endpoint.on(hangup, Said(200))
    await app.post("/api/connect", data=OFFER, headers={**SDP, **somebody()})
    listed = await (await app.get("/api/calls?limit=1", headers=ADMIN)).json()
    (call,) = listed["calls"]
    assert call["status"] == "live"
    assert "rtc_" not in str(listed)
    place = f"/api/calls/{call['id']}/hangup"
    await refused(await app.post(place, headers=somebody()), 403, "role_required")
    assert endpoint.count(hangup) == 0
    assert (await app.post(place, headers=ADMIN)).status == 204
    assert endpoint.count(hangup) == 1
    listed = await (await app.get("/api/calls?limit=1", headers=ADMIN)).json()
    assert (listed["calls"][0]["status"], listed["calls"][0]["ended_by"]) == ("ended", "admin")


@pytest.mark.parametrize(
    "route",
    [
        *("/api/calls", "/api/usage", "/api/latency", "/api/failures", "/api/endpoints"),
        "/api/calls/20260101-00000001-0123456789ab/transcript",
    ],
)
async def test_what_calls_were_and_cost_is_for_admins(app: AppClient, route: str) -> None:
    await refused(await app.get(route), 401, "sign_in_required")
    await refused(await app.get(route, headers=somebody()), 403, "role_required")


@pytest.mark.parametrize(("method", "route"), [("POST", "events"), ("DELETE", "transcript")])
async def test_what_is_done_to_calls_is_for_admins(
    app: AppClient, endpoint: Upstream, method: str, route: str
) -> None:
    place = f"/api/calls/20260101-00000001-0123456789ab/{route}"
    event = {"type": "response.cancel"}
    await refused(await app.request(method, place, json=event), 401, "sign_in_required")
    answer = await app.request(method, place, json=event, headers=somebody())
    await refused(answer, 403, "role_required")
    assert endpoint.asked == []


async def test_the_list_of_calls_is_paged_and_usage_adds_up(
    app: AppClient, endpoint: Upstream
) -> None:
    for number in range(3):
        one = signed_in(f"user-{number}")
        await app.post("/api/connect", data=OFFER, headers={**SDP, **one})
    seen: list[str] = []
    before = ""
    for _ in range(3):
        page = await app.get(f"/api/calls?limit=1&before={before}", headers=ADMIN)
        content = await page.json()
        seen += [call["id"] for call in content["calls"]]
        before = content["next"]
    assert len(set(seen)) == 3
    assert sorted(seen) == seen, "ids sort newest first"
    usage = await (await app.get("/api/usage?by=day", headers=ADMIN)).json()
    assert usage["usage"][0]["calls"] >= 3
    csv = await app.get("/api/usage?by=day,model&format=csv", headers=ADMIN)
    assert csv.content_type == "text/csv"
    assert (await csv.text()).splitlines()[0].startswith("day,model,calls,observed_calls,seconds")
    for wrong in ("?by=hour", "?from=yesterday", "?from=2026-02-01&to=2026-01-01"):
        response = await app.get("/api/usage" + wrong, headers=ADMIN)
        await refused(response, 400, "invalid_query")


@pytest.mark.parametrize(
    "query",
    [
        "before=20261301-00000000-aaaaaaaaaaaa",
        "before=00000000-00000000-aaaaaaaaaaaa",
        "before=99991231-00000000-aaaaaaaaaaaa",
        "before=x",
        "before=2026112%D9%A1-00000000-aaaaaaaaaaaa",
        "status=dead",
        f"q={'x' * 101}",
        "from=yesterday",
        "limit=2001&format=csv",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=%D9%A1",
        f"limit={'1' * 5000}",
    ],
)
async def test_a_list_that_cannot_be_asked_for_is_refused(app: AppClient, query: str) -> None:
    response = await app.get(f"/api/calls?{query}", headers=ADMIN)
    await refused(response, 400, "invalid_query")


@pytest.mark.parametrize(
    "name", ["20261301-00000000-aaaaaaaaaaaa", "99991231-99999999-aaaaaaaaaaaa"]
)
async def test_an_id_of_no_day_is_no_calls(app: AppClient, name: str) -> None:
    for method, path in (("GET", "transcript"), ("DELETE", "transcript"), ("POST", "hangup")):
        response = await app.request(method, f"/api/calls/{name}/{path}", headers=ADMIN)
        await refused(response, 404, "call_not_found")
