"""Many dials at once: connections that are asked again, and who waits for whom."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.core.problems import Problem
from shared.sideband.connector import SidebandConnector
from shared.sideband.dial_queue import DIALS_AT_ONCE
from shared.sideband.sideband import NoSuchCall, SidebandClosed
from tests.support.patience import PATIENCE
from tests.support.sideband_stand_in import CLOSED, KEPT, sideband_stand_in

MANY = [f"rtc_{number}" for number in range(100)]


async def dial_all(connector: SidebandConnector) -> set[type[BaseException]]:
    """What all of the dials raise."""
    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(*map(connector, MANY), return_exceptions=True)
    assert all(isinstance(each, BaseException) for each in found)
    return {type(each) for each in found if isinstance(each, BaseException)}


async def test_calls_that_are_over_are_asked_about_on_few_connections(tmp_path: Path) -> None:
    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        endpoint.ended.update(MANY)
        assert await dial_all(connector) == {NoSuchCall}
        assert endpoint.connections == DIALS_AT_ONCE


LATE = KEPT + b"HTTP/1.1 200 OK\r\n"
UNFINISHED = b"HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\n"


@pytest.mark.parametrize("refusals", [[CLOSED], [KEPT, b""], [KEPT, b"\0" * 200], [LATE]])
async def test_a_connection_that_serves_no_other_dial_costs_none(
    tmp_path: Path, refusals: list[bytes]
) -> None:
    """It is closed by the server, says so before or does not, or says what nobody has asked for."""
    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        endpoint.ended.update(MANY)
        endpoint.refusal = lambda nth: refusals[min(nth, len(refusals)) - 1]
        assert await dial_all(connector) == {NoSuchCall}
        assert endpoint.connections >= len(MANY) / len(refusals)


async def test_a_server_that_does_not_answer_again_is_asked_on_new_connections(
    tmp_path: Path,
) -> None:
    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        endpoint.ended.update(MANY)
        endpoint.refusal = lambda nth: KEPT if nth == 1 else UNFINISHED
        connector.timeouts = replace(connector.timeouts, reopen=timedelta(milliseconds=100))
        assert await dial_all(connector) == {NoSuchCall}
        assert endpoint.connections == len(MANY)
        assert endpoint.requests <= len(MANY) + DIALS_AT_ONCE, "then it is not tried any more"


async def test_a_connection_that_was_asked_before_becomes_the_sideband(tmp_path: Path) -> None:
    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        endpoint.ended.update(MANY[1:])
        dials = [asyncio.ensure_future(connector(call)) for call in (*MANY[1:], MANY[0])]
        async with asyncio.timeout(PATIENCE):
            *refused, sideband = await asyncio.gather(*dials, return_exceptions=True)
        assert {type(each) for each in refused} == {NoSuchCall}
        assert endpoint.connections == DIALS_AT_ONCE
        assert not isinstance(sideband, BaseException)
        endpoint.end(MANY[0])
        with pytest.raises(SidebandClosed, match="1000"):
            await sideband.receive_event()
        await sideband.close()


async def test_a_call_that_was_connected_does_not_wait_for_others(tmp_path: Path) -> None:
    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        sideband = await connector("rtc_before")
        endpoint.answers.clear()
        waiting = [asyncio.ensure_future(connector(call)) for call in MANY]
        await endpoint.requested(1 + DIALS_AT_ONCE)
        endpoint.end("rtc_before")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(NoSuchCall):
                await connector("rtc_before")
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        endpoint.answers.set()
        await sideband.close()


@pytest.mark.parametrize("refused", [True, False])
async def test_credentials_are_read_once_for_dials_that_come_together(
    tmp_path: Path, refused: bool
) -> None:
    reads = []

    def headers() -> dict[str, str]:
        reads.append(1)
        if refused:
            raise Problem("credential_unavailable")
        return {}

    async with sideband_stand_in(tmp_path) as (endpoint, connector):
        endpoint.ended.update(MANY)
        connector.headers = headers
        assert await dial_all(connector) == {Problem if refused else NoSuchCall}
        assert len(reads) == 1
        await dial_all(connector)
        assert len(reads) == 2
