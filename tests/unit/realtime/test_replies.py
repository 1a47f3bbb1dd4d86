"""Odd replies of the model's endpoint: each is a clear problem of the 502 family, never a 500."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.config.profiles import Profile
from shared.core.deadline import Deadline
from shared.core.http_session import open_session
from shared.core.problems import Problem
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.upstream.transport import Timeouts
from tests.support.ports import free_ports
from tests.support.scripted_endpoint import (
    CLOSE,
    RESET,
    STALL,
    EndlessDrip,
    Raw,
    Reply,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
    upstream,
)

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
CALL = "rtc_0123456789abcdef0123456789abcdef"
HANGUP = f"{CALLS}/{CALL}/hangup"
PROFILE = Profile("default", {"type": "realtime", "model": "gpt-realtime"})
EPHEMERAL = EphemeralKey("ek_given", datetime(2030, 1, 1, tzinfo=UTC))
LATER = 4_000_000_000


class StandardKey:
    def headers(self) -> dict[str, str]:
        return {"api-key": "k3y"}


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        script.on(HANGUP, Said(200))
        yield script


@pytest.fixture
def api(endpoint: Upstream) -> RealtimeClient:
    timeouts = Timeouts(read=timedelta(seconds=1), tries=1)
    return RealtimeClient(
        "azure", endpoint.url, StandardKey(), open_session(endpoint.url), timeouts=timeouts
    )


def with_head(more: str) -> Raw:
    """An answer that names its call and has these headers too."""
    head = f"HTTP/1.1 201 Created\r\nLocation: /calls/{CALL}\r\n{more}Content-Length: 3\r\n\r\nv=0"
    return Raw(head.encode())


def mint(api: RealtimeClient) -> EphemeralKey:
    deadline = Deadline.after(timedelta(seconds=2))
    return api.mint_key(PROFILE, timedelta(seconds=60), deadline)


def offer(api: RealtimeClient) -> Any:
    return api.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(timedelta(seconds=2)))


def as_json(**content: Any) -> Said:
    return Said(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def encoded(coding: str, body: bytes) -> Said:
    return Said(200, body, {"Content-Encoding": coding})


def raw(after_status: bytes) -> Raw:
    return Raw(b"HTTP/1.1 200 OK\r\n" + after_status)


BOMB = gzip.compress(b"[" * 50_000_000)
EXPIRIES: list[Any] = [
    *(1e30, -1e30, 10**30, -1, 0, 1, "1900000000", None, True, [], {}, 1_700_000_000),
    *(253402300800, -62135596801),
]
VALUES: list[Any] = [
    *("", " ", "ek_1\r\nX-Evil: 1", "ek_1\n", "ek 1", "ek_\u00e9", "ek_\ud83d", "ek_1\x00"),
    *(7, None, ["ek_1"], {"value": "ek_1"}, "e" * 5000),
]
KEYS: dict[str, Reply] = {
    "deep": Said(200, b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep and open": Said(200, b"[" * 200_000),
    "a deep key": Said(200, b'{"value":' + b"[" * 900 + b"]" * 900 + b',"expires_at":1}'),
    "no JSON": Said(200, b"<html>"),
    "an array": Said(200, b"[]"),
    "not UTF-8": Said(200, b'{"value": "\xff"}'),
    "UTF-16": Said(200, '{"value": "ek_1"}'.encode("utf-16")),
    "nothing": Said(200, b""),
    "no content": Said(204),
    "a bomb": encoded("gzip", BOMB),
    "a bomb in a bomb": encoded("gzip, gzip", gzip.compress(BOMB)),
    "not compressed": encoded("gzip", b'{"value": "ek_1"}'),
    "a long number": Said(200, b'{"value": "ek_1", "expires_at": ' + b"9" * 5000 + b"}"),
    "NaN": Said(200, b'{"value": "ek_1", "expires_at": NaN}'),
    "Infinity": Said(200, b'{"value": "ek_1", "expires_at": Infinity}'),
    "1e999": Said(200, b'{"value": "ek_1", "expires_at": 1e999}'),
    "a wrong length": raw(b"Content-Length: -5\r\n\r\n{}"),
    "two lengths": raw(b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n{}{}{}{}"),
    "a length in words": raw(b"Content-Length: two\r\nConnection: close\r\n\r\n{}"),
    "a wrong chunk": raw(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"),
    "many headers": raw(b"X-A: b\r\n" * 500 + b"\r\n"),
    "a long header": raw(b"X-A: " + b"b" * 100_000 + b"\r\n\r\n"),
    "odd headers": raw(b": x\r\n\xff\xfe\r\nContent-Length: 2\r\n\r\n{}"),
    "no HTTP": Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "status 999": Raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
    "status 99": Raw(b"HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"),
}
KEYS |= {f"expires_at {one!r}": as_json(value="ek_1", expires_at=one) for one in EXPIRIES}
KEYS |= {f"value {one!r}"[:40]: as_json(value=one, expires_at=LATER) for one in VALUES}


@pytest.mark.parametrize("name", KEYS)
def test_an_odd_key_is_a_clear_problem(endpoint: Upstream, api: RealtimeClient, name: str) -> None:
    endpoint.on(MINT, KEYS[name])
    with pytest.raises(Problem) as problem:
        mint(api)
    assert problem.value.status in (502, 504)


@pytest.mark.parametrize("expires", [LATER, float(LATER), LATER + 0.5])
def test_an_expiry_is_any_number_of_seconds(
    endpoint: Upstream, api: RealtimeClient, expires: float
) -> None:
    endpoint.on(MINT, as_json(value="ek_1", expires_at=expires))
    assert mint(api).expires_at == datetime.fromtimestamp(LATER, UTC)


def test_an_error_of_any_shape_is_a_refusal(endpoint: Upstream, api: RealtimeClient) -> None:
    deep: Any = "x"
    for _ in range(90):
        deep = [deep]
    every: Any = {"code": deep, "message": deep, "param": deep}
    shapes: list[Any] = ["boom", 7, None, [], [{}], every, deep]
    for error in shapes:
        endpoint.on(MINT, Said(403, json.dumps({"error": error}).encode()))
        with pytest.raises(Problem, match="upstream_forbidden"):
            mint(api)
    endpoint.on(MINT, Said(403, b'{"error":' * 50_000))
    with pytest.raises(Problem, match="upstream_forbidden"):
        mint(api)


WAITS: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({"Retry-After": "55"}, 55),
    "a fraction": ({"Retry-After": "0.5"}, 1),
    "with blanks": ({"Retry-After": " 55 "}, 55),
    "milliseconds": ({"retry-after-ms": "55000", "Retry-After": "7"}, 55),
    "odd milliseconds": ({"retry-after-ms": "soon", "Retry-After": "7"}, 7),
    "nothing": ({}, 10),
    "negative": ({"Retry-After": "-5"}, 10),
    "NaN": ({"Retry-After": "nan"}, 10),
    "infinity": ({"Retry-After": "inf"}, 10),
    "huge": ({"Retry-After": "9" * 300}, 10),
    "a year": ({"Retry-After": "31536000"}, 600),
    "an exponent": ({"Retry-After": "1e300"}, 10),
    "words": ({"Retry-After": "in a while"}, 10),
    "twice": ({"Retry-After": "5, 7"}, 10),
    "the last day": ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -1200"}, 600),
    "the first day": ({"Retry-After": "Mon, 01 Jan 0001 00:00:00 +1200"}, 10),
    "year 10000": ({"Retry-After": "Fri, 31 Dec 10000 23:59:59 GMT"}, 10),
    "a past date": ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 10),
    "no zone": ({"Retry-After": "Fri, 31 Dec 2999 23:59:59 -0000"}, 600),
    "a wide zone": ({"Retry-After": "Fri, 31 Dec 2999 23:59:59 +99999999999"}, 10),
    "a long date": ({"Retry-After": "Fri, " + "31 " * 20_000}, 10),
    "reset in seconds": ({"x-rate-limit-reset-tokens": "55"}, 55),
    "reset in units": (
        {"x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "1m5s"},
        65,
    ),
    "an odd reset": ({"x-ratelimit-reset-tokens": "1m5s" * 10_000}, 10),
}


@pytest.mark.parametrize("name", WAITS)
def test_retry_after_is_read_in_every_form_and_bounded(
    endpoint: Upstream, api: RealtimeClient, name: str
) -> None:
    headers, wait = WAITS[name]
    endpoint.on(MINT, Said(429, b"{}", headers))
    with pytest.raises(Problem) as problem:
        mint(api)
    assert problem.value.code == "upstream_quota"
    assert float(problem.value.headers["Retry-After"]) == pytest.approx(wait, abs=1)


ANSWERS: dict[str, Reply] = {
    "no SDP": answer_reply(sdp="<html>"),
    "empty": answer_reply(sdp=""),
    "JSON": answer_reply(sdp="{}"),
    "not UTF-8": Said(201, b"v=0\xff", {"Location": f"/calls/{CALL}"}),
    "huge": answer_reply(sdp="v=0" + "x" * 300_000),
    "not compressed": Said(201, b"v=0", {"Location": f"/calls/{CALL}", "Content-Encoding": "gzip"}),
    "cut off": Raw(
        f"HTTP/1.1 201 Created\r\nLocation: /calls/{CALL}\r\nContent-Length: 9\r\n\r\nv=0".encode()
    ),
    "a wrong chunk": Raw(
        f"HTTP/1.1 201 Created\r\nLocation: /calls/{CALL}\r\n"
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode()
    ),
    "dripping": EndlessDrip(
        f"HTTP/1.1 201 Created\r\nLocation: /calls/{CALL}\r\nContent-Length: 999\r\n\r\n".encode()
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_call_whose_answer_is_of_no_use_is_hung_up(
    endpoint: Upstream, api: RealtimeClient, name: str
) -> None:
    endpoint.on(CALLS, ANSWERS[name])
    with pytest.raises(Problem) as problem:
        offer(api)
    assert problem.value.status in (502, 504)
    assert (endpoint.count(CALLS), endpoint.count(HANGUP)) == (1, 1)


def test_a_call_of_no_use_that_cannot_be_hung_up_is_told(
    endpoint: Upstream, api: RealtimeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker")
    endpoint.on(CALLS, answer_reply(sdp="<html>"))
    endpoint.on(HANGUP, Said(500))
    with pytest.raises(Problem, match="upstream_failed"):
        offer(api)
    assert 'call left running {"reason": "upstream_failed"}' in caplog.text


@pytest.mark.parametrize(
    "location",
    ["", "/", "/calls/", "/calls/other", f"/calls/{CALL}\xff", f"/calls/{CALL}/more", "a" * 9000],
)
def test_a_call_without_a_usable_id_is_told(
    endpoint: Upstream, api: RealtimeClient, caplog: pytest.LogCaptureFixture, location: str
) -> None:
    caplog.set_level(logging.INFO, "broker")
    endpoint.on(CALLS, answer_reply(location))
    with pytest.raises(Problem, match="upstream_failed"):
        offer(api)
    assert 'call left running {"reason": "no call id"}' in caplog.text
    assert "other" not in caplog.text


UNREADABLE: dict[str, Reply] = {
    "101 headers": with_head("X-A: b\r\n" * 101),
    "a header of 70 KB": with_head(f"X-A: {'b' * 70_000}\r\n"),
    "another protocol": Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "no HTTP": Raw(b"\xff" * 100),
    "a reset": RESET,
    "an end": CLOSE,
    "silence": STALL,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_call_whose_answer_cannot_be_read_is_told(
    endpoint: Upstream, api: RealtimeClient, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO, "broker")
    endpoint.on(CALLS, UNREADABLE[name])
    with pytest.raises(Problem) as problem:
        offer(api)
    assert f'call left running {{"reason": "{problem.value.code}"}}' in caplog.text


def test_a_call_whose_offer_did_not_leave_is_not_told(
    endpoint: Upstream, api: RealtimeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker")
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(Problem, match="upstream_unreachable"):
        offer(RealtimeClient("azure", nowhere, StandardKey(), open_session(nowhere)))
    assert "call left running" not in caplog.text
    endpoint.on(MINT, RESET)
    with pytest.raises(Problem):
        mint(api)
    assert "call left running" not in caplog.text


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (refusal(404, "404"), True),
        (Said(404, b"<html>no such route</html>"), True),
        (refusal(404, "call_id_not_found"), False),
    ],
    ids=["gateway", "page", "gone"],
)
def test_a_404_that_is_not_the_endpoints_own_leaves_the_call_running(
    endpoint: Upstream,
    api: RealtimeClient,
    caplog: pytest.LogCaptureFixture,
    said: Said,
    left: bool,
) -> None:
    caplog.set_level(logging.INFO, "broker")
    endpoint.on(CALLS, answer_reply(sdp="<html>"))
    endpoint.on(HANGUP, said)
    with pytest.raises(Problem, match="upstream_failed"):
        offer(api)
    assert ('call left running {"reason": "hang-up 404"}' in caplog.text) is left


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 500])
def test_a_hang_up_is_done_when_upstream_says_so(
    endpoint: Upstream, api: RealtimeClient, status: int
) -> None:
    endpoint.on(HANGUP, Said(status, b"", {"Location": "https://elsewhere.example"}))
    with pytest.raises(Problem):
        api.hang_up(CALL, Deadline.after(timedelta(seconds=2)))


def test_a_hang_up_whose_body_is_broken_is_done(endpoint: Upstream, api: RealtimeClient) -> None:
    endpoint.on(HANGUP, encoded("gzip", b"ok"))
    api.hang_up(CALL, Deadline.after(timedelta(seconds=2)))
    assert endpoint.count(HANGUP) == 1


def test_a_usual_key_is_taken(endpoint: Upstream, api: RealtimeClient) -> None:
    endpoint.on(MINT, key_reply("ek_68af296e8e408191a1120ab6383263c2"))
    assert mint(api).value == "ek_68af296e8e408191a1120ab6383263c2"
