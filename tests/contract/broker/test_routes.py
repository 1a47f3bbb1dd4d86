"""The routes as callers see them: answers, refusals of one shape, and no leaks."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData

from shared.core.problem_catalog import CATALOGUE
from tests.contract.broker.conftest import AppClient
from tests.support.app_settings import API_KEY, BROKER_SECRET
from tests.support.call_location import call_path
from tests.support.offers import AUDIO, CHANNEL, HEAD, OFFER
from tests.support.scripted_endpoint import ANSWER, RESET, Upstream, refusal

SDP = {"Content-Type": "application/sdp"}
OFFER_ROUTES = ["/api/connect", "/api/session"]
ROUTES = {
    "/api/token": {"GET", "POST"},
    "/api/connect": {"GET", "HEAD", "POST"},
    "/api/session": {"POST"},
    "/api/calls/some-handle": {"GET", "HEAD"},
    "/api/calls/some-handle/hangup": {"POST"},
    "/api/calls": {"GET", "POST"},
    "/api/calls/some-id/transcript": {"GET", "DELETE"},
    "/api/calls/some-id/events": {"POST"},
    "/api/usage": {"GET"},
    "/api/latency": {"GET"},
    "/api/failures": {"GET"},
    "/api/endpoints": {"GET"},
    "/api/health": {"GET", "HEAD"},
    "/api/health/deep": {"GET"},
}


async def refused(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status == status
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = await response.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "hint", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["hint"] == CATALOGUE[code].hint
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    return problem


def form(field: str = "sdp", value: bytes = OFFER) -> FormData:
    data = FormData()
    data.add_field(field, value.decode(), content_type="application/sdp")
    return data


@pytest.mark.parametrize("route", OFFER_ROUTES)
@pytest.mark.parametrize("kind", ["application/sdp", "text/plain; charset=utf-8", "form", "file"])
async def test_an_offer_gets_its_answer_and_a_handle(
    app: AppClient, endpoint: Upstream, route: str, kind: str
) -> None:
    if kind == "form":
        response = await app.post(route, data=form())
    elif kind == "file":
        data = FormData()
        data.add_field("sdp", OFFER, filename="offer", content_type="application/sdp")
        response = await app.post(route, data=data)
    else:
        response = await app.post(route, data=OFFER, headers={"Content-Type": kind})
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert await response.text() == ANSWER
    assert re.fullmatch(r"calls/[A-Za-z0-9_-]+", response.headers["Location"])
    assert re.fullmatch(r"/api/calls/[A-Za-z0-9_-]+", call_path(response))
    assert "rtc_" not in response.headers["Location"]
    assert endpoint.asked[-1].body == OFFER


@pytest.mark.parametrize("way", ["raw", "form"])
@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [
        (OFFER.rstrip(), OFFER),
        (b"\n" + OFFER + b"\0", OFFER),
        (OFFER.replace(b"s=-", "s=a\u0085b\u2028".encode()),) * 2,
    ],
    ids=["trimmed", "a NUL at its end", "line separators in a name"],
)
async def test_a_slip_on_the_way_here_is_repaired(
    app: AppClient, endpoint: Upstream, way: str, sent: bytes, passed_on: bytes
) -> None:
    if way == "raw":
        response = await app.post("/api/connect", data=sent, headers=SDP)
    else:
        response = await app.post("/api/connect", data=form(value=sent))
    assert response.status == 201
    assert endpoint.asked[-1].body == passed_on


async def test_a_page_hangs_up_its_call(app: AppClient, endpoint: Upstream) -> None:
    place = "/openai/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef/hangup"
    started = await app.post("/api/connect", data=OFFER, headers=SDP)
    endpoint.on(place, refusal(404, "call_id_not_found"))
    hung_up = await app.post(call_path(started) + "/hangup")
    assert (hung_up.status, await hung_up.read()) == (204, b"")
    assert endpoint.count(place) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_is_exactly_what_the_contract_says(
    app: AppClient, endpoint: Upstream, method: str
) -> None:
    response = await app.request(method, "/api/token")
    assert response.status == 200
    token = await response.json()
    assert set(token) == {"token", "value", "expires_at", "url", "endpoint", "model"}
    assert token["token"] == token["value"] == "ek_test_one"
    assert token["url"] == endpoint.url + "/openai/v1/realtime/calls?webrtcfilter=on"


async def test_a_profile_is_chosen_by_name_and_may_be_unfiltered(
    app: AppClient, endpoint: Upstream
) -> None:
    await app.post("/api/connect?profile=agents-sdk", data=OFFER, headers=SDP)
    assert endpoint.asked[-1].path == "/openai/v1/realtime/calls"


async def test_an_authorization_header_is_ignored(app: AppClient, endpoint: Upstream) -> None:
    headers = {**SDP, "Authorization": "Bearer ek_a_clients_own_idea"}
    response = await app.post("/api/connect", data=OFFER, headers=headers)
    assert response.status == 201
    assert "ek_a_clients_own_idea" not in str(endpoint.asked)


@pytest.mark.parametrize("route", OFFER_ROUTES)
@pytest.mark.parametrize("way", ["raw", "form"])
@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [
        (b"", 400, "missing_offer"),
        (b"hello", 400, "invalid_offer"),
        ((HEAD + CHANNEL).encode(), 400, "offer_without_audio"),
        ((HEAD + AUDIO).encode(), 400, "offer_without_data_channel"),
        (OFFER + b"a=x\r\n" * 20_000, 413, "offer_too_large"),
    ],
)
async def test_a_bad_offer_is_refused_and_nothing_goes_upstream(
    app: AppClient, endpoint: Upstream, route: str, way: str, offer: bytes, status: int, code: str
) -> None:
    if way == "raw":
        response = await app.post(route, data=offer, headers=SDP)
    else:
        response = await app.post(route, data=form(value=offer))
    await refused(response, status, code)
    assert endpoint.asked == []


@pytest.mark.parametrize("route", OFFER_ROUTES)
async def test_bodies_without_an_offer(app: AppClient, endpoint: Upstream, route: str) -> None:
    await refused(await app.post(route), 400, "missing_offer")
    await refused(await app.post(route, data=form("offer")), 400, "missing_offer")
    await refused(await app.post(route, json={"sdp": "v=0"}), 415, "unsupported_content_type")
    broken = b'--x\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n'
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        response = await app.post(route, data=broken, headers={"Content-Type": kind})
        await refused(response, 400, "broken_body")
    wrong = await app.post(route + "?profile=nobody", data=OFFER, headers=SDP)
    await refused(wrong, 404, "unknown_profile")
    assert endpoint.asked == []


async def test_a_page_asks_whether_its_caller_may_call(app: AppClient, endpoint: Upstream) -> None:
    for method in ("GET", "HEAD"):
        response = await app.request(method, "/api/connect")
        assert (response.status, await response.read()) == (204, b"")
    await refused(await app.get("/api/connect?profile=nobody"), 404, "unknown_profile")
    assert endpoint.asked == []


async def test_an_unknown_profile_gets_no_token(app: AppClient, endpoint: Upstream) -> None:
    await refused(await app.get("/api/token?profile=nobody"), 404, "unknown_profile")
    assert endpoint.asked == []


@pytest.mark.parametrize(
    ("route", "method"),
    [
        (route, method)
        for route, allowed in ROUTES.items()
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if method not in allowed
    ],
)
async def test_a_405_lists_the_allowed_methods(app: AppClient, route: str, method: str) -> None:
    response = await app.request(method, route)
    await refused(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == ROUTES[route]


@pytest.mark.parametrize("route", ["/api/connect", "/api/token"])
async def test_upstreams_failures_become_our_own_problems(
    app: AppClient, endpoint: Upstream, route: str
) -> None:
    for said, status, code in [
        (refusal(401, "PermissionDenied"), 502, "upstream_access_denied"),
        (refusal(404, "DeploymentNotFound"), 502, "deployment_not_found"),
        (refusal(400, "OpperationNotSupported"), 502, "not_a_realtime_model"),
    ]:
        endpoint.on("/openai/v1/realtime/client_secrets", said)
        response = await app.post(route, data=OFFER, headers=SDP)
        problem = await refused(response, status, code)
        assert "words of upstream" not in str(problem)


async def test_a_lost_answer_is_a_502_and_not_a_second_call(
    app: AppClient, endpoint: Upstream
) -> None:
    endpoint.on("/openai/v1/realtime/calls", RESET)
    response = await app.post("/api/connect", data=OFFER, headers=SDP)
    await refused(response, 502, "upstream_unreachable")
    assert endpoint.count("/openai/v1/realtime/calls") == 1


async def test_a_bug_is_a_500_without_its_cause(
    app: AppClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the inside of the broker, ek_secret_inside")

    monkeypatch.setattr("shared.calls.service.validate_offer", broken)
    response = await app.post("/api/connect", data=OFFER, headers=SDP)
    problem = await refused(response, 500, "internal_error")
    assert "inside" not in str(problem)
    logged = [record.getMessage() for record in caplog.records if record.name == "broker"]
    assert any(problem["request_id"] in line and "RuntimeError" in line for line in logged)
    assert not any("ek_secret_inside" in line for line in logged)


async def test_with_invalid_settings_every_route_answers_503_and_all_are_logged(
    settings: dict[str, str], app: AppClient, caplog: pytest.LogCaptureFixture
) -> None:
    settings |= {"REALTIME_ENDPOINT": "nonsense", "TOKEN_SECONDS": "x", "CALLER_AUTH": "friends"}
    with caplog.at_level(logging.ERROR, "broker"):
        for route, methods in ROUTES.items():
            method = "POST" if "POST" in methods else "GET"
            response = await app.request(method, route, data=OFFER, headers=SDP)
            await refused(response, 503, "misconfigured")
    for name in ("REALTIME_ENDPOINT", "TOKEN_SECONDS", "CALLER_AUTH"):
        assert caplog.text.count(name) == 1, "once, not with every request"
    assert API_KEY not in caplog.text


async def test_health(app: AppClient, endpoint: Upstream) -> None:
    response = await app.get("/api/health")
    assert (response.status, await response.json()) == (200, {"status": "ok"})
    head = await app.head("/api/health")
    assert (head.status, await head.read()) == (200, b"")
    assert endpoint.asked == []


async def test_a_request_keeps_its_id_if_that_is_valid(app: AppClient) -> None:
    kept = await app.get("/api/health", headers={"X-Request-Id": "page-2026-000001"})
    assert kept.headers["X-Request-Id"] == "page-2026-000001"
    for odd in ("short", "x" * 65, "with blanks in it"):
        replaced = await app.get("/api/health", headers={"X-Request-Id": odd})
        assert re.fullmatch(r"[0-9a-f]{32}", replaced.headers["X-Request-Id"])


async def test_every_answer_has_the_security_headers(app: AppClient) -> None:
    for response in (await app.get("/api/health"), await app.get("/api/connect")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_no_secret_and_no_sdp_reaches_the_log(
    app: AppClient, endpoint: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await app.post("/api/connect", data=OFFER, headers=SDP)
        await app.post("/api/token")
        endpoint.on("/openai/v1/realtime/calls", refusal(400, "ek_test_one", "ek_test_one"))
        await app.post("/api/connect", data=OFFER, headers=SDP)
    for secret in ("ek_test_one", API_KEY, BROKER_SECRET, "inside", "m=audio"):
        assert secret not in caplog.text
