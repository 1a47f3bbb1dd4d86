"""Hundreds of starts wait for a model's endpoint that stalls: everything else goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from shared.api.bulkheads import ENDS, STARTS
from shared.live.shared_ends import WAITING_FOR_ONE
from tests.contract.broker.conftest import AppClient
from tests.support.call_location import call_path
from tests.support.live_replies import SESSIONS, created, hangup_path
from tests.support.offers import OFFER
from tests.support.scripted_endpoint import STALL, Said, Upstream, answer_reply

CALLS = "/openai/v1/realtime/calls"
HANGUP = f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup"
SDP = {"Content-Type": "application/sdp"}
STARTED = 600
LISTED = "https://app.example"
SOON = 6
"""Seconds, on a busy machine. A start waits for 15."""


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        "ALLOWED_ORIGINS": LISTED,
    }


@asynccontextmanager
async def crowd(app: AppClient) -> AsyncIterator[list[asyncio.Task[tuple[int, str, str]]]]:
    """Starts on their way, until all threads for starts are taken."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def start() -> tuple[int, str, str]:
            headers = SDP | {"Origin": LISTED}
            url = app.make_url("/api/connect")
            async with session.post(url, data=OFFER, headers=headers) as answer:
                said = await answer.json() if answer.status != 201 else {"code": ""}
                assert answer.headers["Access-Control-Allow-Origin"] == LISTED
                return answer.status, said["code"], answer.headers.get("Retry-After", "")

        starts = [asyncio.create_task(start()) for _ in range(STARTED)]
        try:
            # The first answer is a refusal: there is no thread left, and no place to wait for one.
            await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)
            yield starts
        finally:
            await asyncio.gather(*starts, return_exceptions=True)


async def test_nothing_waits_behind_starts_that_stall(app: AppClient, endpoint: Upstream) -> None:
    endpoint.on(CALLS, answer_reply(), STALL)
    endpoint.on(HANGUP, Said(200))
    started = await app.post("/api/connect", data=OFFER, headers=SDP)
    place = call_path(started)
    async with crowd(app) as starts:
        for _ in range(3):
            async with asyncio.timeout(SOON):
                assert (await app.get("/api/health")).status == 200
                assert (await app.get(place)).status == 200
        async with asyncio.timeout(SOON):
            assert (await app.post(f"{place}/hangup")).status == 204
        assert sum(not each.done() for each in starts) >= STARTS.threads / 2, "they still wait"
    found = Counter((status, code) for status, code, _ in (each.result() for each in starts))
    assert found[503, "instance_busy"] >= STARTED - STARTS.threads - 10, found
    assert {status for status, _ in found} <= {502, 503, 504}, found
    waits = {wait for status, code, wait in (each.result() for each in starts) if status == 503}
    assert waits == {"5"}


async def test_nobody_waits_behind_hang_ups_of_one_session_that_is_slow_to_end(
    app: AppClient, endpoint: Upstream
) -> None:
    endpoint.on(CALLS, answer_reply())
    endpoint.on(HANGUP, Said(200))
    endpoint.on(SESSIONS, created())
    endpoint.on(hangup_path(), STALL)
    live = await app.post("/api/connect", params={"profile": "live"}, data=OFFER, headers=SDP)
    other = await app.post("/api/connect", data=OFFER, headers=SDP)
    place = f"{call_path(live)}/hangup"
    many = [asyncio.create_task(app.post(place)) for _ in range(3 * ENDS.threads)]
    try:
        answers = asyncio.as_completed(many)
        refused = [await next(answers) for _ in range(len(many) - 1 - WAITING_FOR_ONE)]
        async with asyncio.timeout(SOON):
            assert (await app.post(f"{call_path(other)}/hangup")).status == 204
        assert {each.status for each in refused} == {503}
        assert {each.headers["Retry-After"] for each in refused} == {"5"}
        assert endpoint.count(hangup_path()) == 1
    finally:
        for each in many:
            each.cancel()
        await asyncio.gather(*many, return_exceptions=True)
