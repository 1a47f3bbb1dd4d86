"""Both clients at their edge: what httpx2 is given, and what its errors become."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

import realtime_client
from realtime_client import (
    BROKER_UNREACHABLE,
    NO_ANSWER,
    UNEXPECTED_ANSWER,
    Admin,
    AsyncAdmin,
    AsyncBroker,
    Broker,
    Problem,
    transport,
)
from realtime_client.client import EVERYTHING
from realtime_client.transport import failure_of
from tests.unit.realtime_client.replies import API, CALL, CALL_ID, HANDLE

Answering = Callable[[httpx2.Request], httpx2.Response]
STATUS = {"status": "live"}


def fetch_status(kind: str, answering: Answering, **options: Any) -> tuple[Any, list[float]]:
    """The status of a call, through either client, and how long it slept."""
    slept: list[float] = []
    transport = httpx2.MockTransport(answering)
    with pytest.MonkeyPatch.context() as patch:
        if kind == "sync":
            patch.setattr(time, "sleep", slept.append)
            with httpx2.Client(transport=transport) as http:
                return Broker(API, http=http, **options).status(HANDLE), slept

        async def work() -> Any:
            async def sleep(seconds: float) -> None:
                slept.append(seconds)

            patch.setattr(asyncio, "sleep", sleep)
            async with httpx2.AsyncClient(transport=transport) as http:
                return await AsyncBroker(API, http=http, **options).status(HANDLE)

        return asyncio.run(work()), slept


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_request_carries_who_asks(kind: str) -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json=STATUS)

    tokens = iter(["one", "two"])
    for expected in ("one", "two"):
        found, _ = fetch_status(
            kind, answer, token=lambda: next(tokens), headers={"X-Request-Id": "trace-0001"}
        )
        assert found.is_live
        assert asked[-1].headers["X-Caller-Token"] == expected
    assert str(asked[-1].url) == f"{API}/calls/{HANDLE}"
    assert asked[-1].headers["X-Request-Id"] == "trace-0001"
    assert asked[-1].headers["User-Agent"].startswith("realtime-token-broker-client/")
    assert "Authorization" not in asked[-1].headers
    fetch_status(kind, answer)
    assert "X-Caller-Token" not in asked[-1].headers


def test_a_token_may_be_awaited() -> None:
    async def token() -> str:
        return "awaited"

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["X-Caller-Token"] == "awaited"
        return httpx2.Response(200, json=STATUS)

    assert fetch_status("async", answer, token=token)[0].is_live


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_redirect_is_not_followed(kind: str) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(307, headers={"Location": "https://elsewhere.example/"})

    with pytest.raises(Problem) as caught:
        fetch_status(kind, answer, token="secret")
    assert caught.value.code == UNEXPECTED_ANSWER
    assert asked == [f"{API}/calls/{HANDLE}"]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (httpx2.ConnectError("refused"), BROKER_UNREACHABLE),
        (httpx2.ConnectTimeout("slow"), BROKER_UNREACHABLE),
        (httpx2.ReadTimeout("slow"), NO_ANSWER),
        (httpx2.RemoteProtocolError("closed"), NO_ANSWER),
        (httpx2.WriteError("reset"), NO_ANSWER),
    ],
)
def test_what_goes_wrong_on_the_way_is_a_problem(kind: str, error: Exception, code: str) -> None:
    asked: list[httpx2.Request] = []

    def fail(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) > 2:
            raise error
        raise httpx2.ReadError("first")

    with pytest.raises(Problem) as caught:
        fetch_status(kind, fail)
    assert caught.value.code == code
    assert len(asked) == 3
    asked.clear()

    def fail_twice(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if len(asked) < 3:
            raise error
        return httpx2.Response(200, json=STATUS)

    found, slept = fetch_status(kind, fail_twice)
    assert found.is_live
    assert slept == [0.5, 1.0]


def test_another_caller_has_the_same_connections_and_keeps_them_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("X-Caller-Token", ""))
        assert "Cookie" not in request.headers
        return httpx2.Response(200, json=STATUS, headers={"Set-Cookie": "session=of-ann; Path=/"})

    open_after = []
    with Broker(API, token="service", timeout=timedelta(seconds=3)) as broker:
        monkeypatch.setattr(broker.http, "_transport", httpx2.MockTransport(answer))
        with broker.for_caller("ann") as ann:
            ann.status(HANDLE)
        open_after.append(not broker.http.is_closed)
        assert ann.timeout == broker.timeout
        broker.for_caller("bob").status(HANDLE)
        broker.status(HANDLE)
    open_after.append(not broker.http.is_closed)
    assert open_after == [True, False]
    assert seen == ["ann", "bob", "service"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_nor_does_a_client_of_ones_own_send_a_cookie_that_it_has_kept(kind: str) -> None:
    seen: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("Cookie"))
        body = b"no JSON" if len(seen) < 3 else b'{"status": "live"}'
        status = 502 if len(seen) < 3 else 200
        return httpx2.Response(status, content=body, headers={"Set-Cookie": "session=of-ann"})

    fetch_status(kind, answer)
    assert seen == [None] * 3
    fetch_status(kind, answer, headers={"Cookie": "session=mine"})
    assert seen[-1] == "session=mine"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "token", ["secret\n", " secret", "secret\r\nX-Evil: 1", "secret\0", "secretü"]
)
def test_what_cannot_be_a_token_is_said_without_saying_it(kind: str, token: str) -> None:
    for options in ({"token": token}, {"headers": {"X-Caller-Token": token}}):
        with pytest.raises(ValueError, match="X-Caller-Token: expected") as caught:
            fetch_status(kind, lambda _: httpx2.Response(200, json=STATUS), **options)
        assert "secret" not in str(caught.value)


@pytest.fixture
def usual_records() -> Iterator[None]:
    """Without the broker's own, which withhold what libraries log: tests before may have set it."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("usual_records")
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_no_handle_is_in_what_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """httpx2 logs the URL of each request. That of others is none of ours."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=STATUS)

    caplog.set_level(logging.INFO)
    fetch_status(kind, answer)
    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        broker = Broker("HTTPS://Broker.example/", http=http)
        with pytest.raises(Problem):
            broker.start("v=0", profile="a", continues=HANDLE)
        http.get(f"https://other.example/api/calls/{HANDLE}")
        with pytest.raises(Problem):
            broker.admin.transcript(CALL_ID)
    logged = caplog.messages
    assert [HANDLE in line for line in logged] == [False, False, True, False]
    assert f"{API}/calls/... " in logged[0]
    assert f"{API}/connect?profile=a&continues=... " in logged[1]
    assert f"{API}/calls/{CALL_ID}/transcript " in logged[3]


def test_a_header_that_cannot_be_sent_is_not_told() -> None:
    failed = failure_of(httpx2.LocalProtocolError("Illegal header value b'secret\\n'"))
    assert "secret" not in failed.reason


def test_a_header_of_ones_own_replaces_that_of_the_client_in_any_case() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json=STATUS)

    headers = {"user-agent": "mine/1", "x-caller-token": "of the headers", "X-Empty": ""}
    fetch_status("sync", answer, token="token", headers=headers)
    assert asked[0].headers.get_list("User-Agent") == ["mine/1"]
    assert asked[0].headers.get_list("X-Caller-Token") == ["token"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_body_that_is_too_large_is_not_read_on(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LARGEST_BODY", 10)
    with pytest.raises(Problem, match="more than") as caught:
        fetch_status(kind, lambda _: httpx2.Response(200, json=STATUS))
    assert caught.value.code == NO_ANSWER


@pytest.mark.parametrize("made", [Broker, AsyncBroker])
def test_what_the_http_client_takes_for_no_address(made: type[Broker] | type[AsyncBroker]) -> None:
    with pytest.raises(ValueError, match="address"):
        made("https://256.0.0.1")


@pytest.mark.parametrize("made", [Broker, AsyncBroker])
def test_no_time_is_no_timeout(made: type[Broker] | type[AsyncBroker]) -> None:
    with pytest.raises(ValueError, match="timeout"):
        made(API, timeout=timedelta(0))


def test_all_calls_are_asked_for_page_by_page() -> None:
    pages = {
        "": {"calls": [CALL], "next": "20261126-00000001-0123456789ab"},
        "20261126-00000001-0123456789ab": {"calls": [], "next": "20261125-00000001-0123456789ab"},
        "20261125-00000001-0123456789ab": {"calls": [CALL, CALL], "next": None},
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=pages[request.url.params.get("before", "")])

    transport = httpx2.MockTransport(answer)
    with httpx2.Client(transport=transport) as http:
        assert len(list(Broker(API, http=http).admin.all_calls())) == 3

    async def work() -> int:
        async with httpx2.AsyncClient(transport=transport) as http:
            return len([call async for call in AsyncBroker(API, http=http).admin.all_calls()])

    assert asyncio.run(work()) == 3


def test_events_come_as_they_happen_and_end_with_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    often = timedelta(milliseconds=1)

    def telling() -> httpx2.MockTransport:
        said = iter(["live", "live", "ended", "ended", "ended"])
        return httpx2.MockTransport(lambda _: httpx2.Response(200, json={"status": next(said)}))

    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with httpx2.Client(transport=telling()) as http:
        told = [each.status for each in Broker(API, http=http).events(HANDLE, every=often)]
    assert told == ["live", "ended"]
    assert slept == [0.001] * 4

    async def work() -> list[str]:
        async with httpx2.AsyncClient(transport=telling()) as http:
            events = AsyncBroker(API, http=http).events(HANDLE, every=often)
            return [each.status async for each in events]

    assert asyncio.run(work()) == told


@pytest.mark.parametrize(("blocks", "awaits"), [(Broker, AsyncBroker), (Admin, AsyncAdmin)])
def test_both_clients_do_the_same(blocks: type, awaits: type) -> None:
    names = {name for name, _ in inspect.getmembers(blocks, inspect.isfunction)}
    others = {name for name, _ in inspect.getmembers(awaits, inspect.isfunction)}
    plain = {name for name in names if not name.startswith("__")}
    assert plain == {name for name in others if not name.startswith("__")}
    for name in plain:
        one, other = (inspect.signature(getattr(each, name)) for each in (blocks, awaits))
        assert list(one.parameters) == list(other.parameters), name
        assert getattr(blocks, name).__doc__ == getattr(awaits, name).__doc__, name


def test_only_the_edge_does_input_and_output() -> None:
    for path in Path(realtime_client.__file__).parent.glob("*.py"):
        imports = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [str(node.module)]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        if path.stem not in ("client", "async_client", "transport", "request_log", "__init__"):
            assert not imports & {"httpx2", "asyncio", "time", "socket", "os"}, path.name
    assert realtime_client.CallSearch() == EVERYTHING
