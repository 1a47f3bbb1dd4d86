"""What the client makes of a server that is no broker, over real connections."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from realtime_client import (
    NO_ANSWER,
    UNEXPECTED_ANSWER,
    AsyncBroker,
    Broker,
    CallStatus,
    Problem,
    transport,
)
from tests.contract.realtime_client.rogue import dripping, response, running_rogue

HANDLE = "a-handle"
SECRET = "made-up-token"
LIVE = response(200, b'{"status": "live"}')
PATIENCE = timedelta(seconds=30)
CLIENTS = ("sync", "async")
Call = tuple[str, ...]
START: Call = ("start", "v=0\r\n")
STATUS: Call = ("status", HANDLE)
HANG_UP: Call = ("hang_up", HANDLE)


def call_in_turn(kind: str, url: str, *calls: Call, timeout: timedelta = PATIENCE) -> None:
    """Calls methods of either client, over the same connections."""
    options: dict[str, Any] = {"token": SECRET, "timeout": timeout}
    if kind == "sync":
        with httpx2.Client(trust_env=False) as http:
            broker = Broker(url, http=http, **options)
            for method, *given in calls:
                getattr(broker, method)(*given)
        return

    async def work() -> None:
        async with httpx2.AsyncClient(trust_env=False) as http:
            broker = AsyncBroker(url, http=http, **options)
            for method, *given in calls:
                await getattr(broker, method)(*given)

    asyncio.run(work())


def problem_of(kind: str, url: str, *calls: Call, timeout: timedelta = PATIENCE) -> Problem:
    with pytest.raises(Problem) as caught:
        call_in_turn(kind, url, *calls, timeout=timeout)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "GRACE", timedelta(0))


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize(
    ("kind", "begin", "part"),
    [
        ("sync", b"HTTP/1.1 201 X\r\nContent-Length: 9000\r\n\r\n", b"v"),
        ("async", b"HTTP/1.1 201 X\r\nContent-Length: 9000\r\n\r\n", b"v"),
        ("async", b"HTTP/1.1 201 X\r\nX-Drip: ", b"v"),
        ("async", b"", b"HTTP/1.1 103 X\r\n\r\n"),
    ],
)
def test_an_answer_that_drips_in_has_no_more_time_than_another(
    kind: str, begin: bytes, part: bytes
) -> None:
    with running_rogue(dripping(begin, part)) as rogue:
        before = time.monotonic()
        problem = problem_of(kind, rogue.url, START, timeout=timedelta(seconds=0.5))
        assert time.monotonic() - before < 30, "it would go on for a minute"
        assert (problem.code, problem.may_have_happened) == (NO_ANSWER, True)
        assert len(rogue.requests) == 1


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_body_that_unpacks_to_more_than_fits_is_not_read(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LARGEST_BODY", 1 << 20)
    packed = response(200, gzip.compress(bytes(8 << 20)), "Content-Encoding: gzip")
    with running_rogue(lambda: [packed]) as rogue:
        assert "more than 1 MiB" in problem_of(kind, rogue.url, STATUS).detail


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("call", [START, ("create_token",), ("register", "rtc_1")])
@pytest.mark.parametrize("before", [[], [STATUS]], ids=["new connection", "used connection"])
@pytest.mark.parametrize(
    "answer", [[], [b"HTTP/1.1 201 X\r\nContent-Length: 99\r\n\r\nv=0", b""]], ids=["cut", "half"]
)
def test_what_may_have_happened_is_not_sent_again(
    kind: str, call: Call, before: list[Call], answer: list[bytes]
) -> None:
    answers = iter([*[[LIVE]] * len(before), answer])
    with running_rogue(lambda: next(answers)) as rogue:
        problem = problem_of(kind, rogue.url, *before, call)
        assert (problem.code, problem.may_have_happened) == (NO_ANSWER, True)
        posts = [head for head in rogue.requests if head.startswith("POST")]
        assert len(posts) == 1


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_hang_up_whose_answer_is_lost_is_sent_again(kind: str) -> None:
    answers: Iterator[list[bytes]] = iter([[], [], [response(204)]])
    with running_rogue(lambda: next(answers)) as rogue:
        call_in_turn(kind, rogue.url, HANG_UP)
        assert len(rogue.requests) == 3


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_goes_where_a_redirect_leads(kind: str, status: int) -> None:
    with (
        running_rogue(lambda: [LIVE]) as elsewhere,
        running_rogue(lambda: [response(status, b"", f"Location: {elsewhere.url}/")]) as rogue,
    ):
        for call in (START, STATUS, HANG_UP):
            assert problem_of(kind, rogue.url, call).code == UNEXPECTED_ANSWER
        assert len(rogue.requests) == 3
        assert not elsewhere.requests


def test_a_start_that_is_cancelled_was_sent_once_and_leaves_the_client_usable() -> None:
    began = threading.Event()

    def answering() -> Iterator[bytes]:
        if began.is_set():
            yield LIVE
            return
        began.set()
        time.sleep(1)

    async def work(url: str) -> CallStatus:
        async with (
            httpx2.AsyncClient(trust_env=False) as http,
            AsyncBroker(url, http=http) as broker,
        ):
            start = asyncio.create_task(broker.start("v=0\r\n"))
            await asyncio.to_thread(began.wait)
            start.cancel()
            with pytest.raises(asyncio.CancelledError):
                await start
            return await broker.status(HANDLE)

    with running_rogue(answering) as rogue:
        assert asyncio.run(work(rogue.url)).is_live
        assert [head.split()[0] for head in rogue.requests] == ["POST", "GET"]


def test_threads_share_a_client_and_no_token() -> None:
    with (
        running_rogue(lambda: [LIVE]) as rogue,
        httpx2.Client(trust_env=False) as http,
        ThreadPoolExecutor(8) as threads,
    ):
        broker = Broker(rogue.url, http=http)
        names = [f"caller-{number}" for number in range(40)]
        asked = threads.map(lambda name: broker.for_caller(name).status(name), names)
        assert all(status.is_live for status in asked)
        for name in names:
            [head] = [each for each in rogue.requests if f"/{name} " in each]
            assert f"X-Caller-Token: {name}\r\n" in f"{head}\r\n"


def test_closing_twice_does_nothing() -> None:
    with running_rogue(lambda: [LIVE]) as rogue:
        with Broker(rogue.url) as broker:
            broker.close()

        async def work() -> None:
            async with AsyncBroker(rogue.url) as broker:
                await broker.close()

        asyncio.run(work())
