"""An observer whose call is over or cannot be reached."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.observer.context import Outcome
from shared.sideband.sideband import Sideband, SidebandUnavailable
from tests.contract.observer.harness import observed_calls, timing_of


async def test_a_session_that_expires_is_the_end() -> None:
    async with observed_calls(session_seconds=60) as it:
        call = await it.call(opened=False)
        watching = await it.watch(call)
        it.server.fakes.now += 60
        call.peer.open()
        observed = await watching.done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "expired")
        assert it.transcript(call.id).ended == "expired"
        assert (await it.state())["requests"]["sideband"] == 2, "it was not dialled again"


async def test_no_such_call() -> None:
    async with observed_calls() as it:
        observed = await it.begin("rtc_unknown").done()
        assert observed.outcome is Outcome.NOT_FOUND
        assert (await it.state())["requests"]["sideband"] == 5, "a fresh call may need a moment"
        assert it.lines("rtc_unknown") == []


async def test_a_call_that_is_over_is_not_followed_again() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.hang_up()
        await watching.done()
        asked = (await it.state())["requests"]["sideband"]
        before = it.raw(call.id)
        assert (await it.begin(call.id).done()).outcome is Outcome.ENDED
        assert (await it.state())["requests"]["sideband"] == asked
        assert it.raw(call.id) == before


async def test_a_takeover_of_a_call_that_ended_meanwhile_closes_its_record() -> None:
    async with observed_calls() as it:
        call = await it.call()
        first = await it.watch(call)
        await it.kill(first)
        await call.hang_up()
        it.skip += timedelta(seconds=31)
        observed = await it.begin(call.id).done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "gone")
        assert it.transcript(call.id).ended == "gone"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_is_not_retried(status: int) -> None:
    async with observed_calls(faults={"sideband": [{"status": status}]}) as it:
        observed = await it.begin("rtc_1").done()
        assert observed.outcome is Outcome.UNREACHABLE
        assert (await it.state())["requests"]["sideband"] == 1


async def test_nobody_answers() -> None:
    async def connect(call_id: str) -> Sideband:
        raise SidebandUnavailable

    async with observed_calls() as it:
        timing = timing_of(redial_for=timedelta(0))
        assert (await it.begin("rtc_1", timing, parts={"connect": connect}).done()).outcome is (
            Outcome.UNREACHABLE
        )
