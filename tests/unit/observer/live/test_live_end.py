"""How a Live call ends, and what it has used by then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.observer.context import Farewell
from shared.observer.live import goodbye
from tests.support.patience import PATIENCE
from tests.unit.observer.live.harness import RESPONSES, START, LiveRun, live_run

QUICK = timedelta(milliseconds=30)
BYE = Farewell("Say goodbye in one sentence.", timeout=timedelta(seconds=5))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPOKEN_AFTER", "BEGINS_WITHIN", "CLOSED_WITHIN"):
        monkeypatch.setattr(goodbye, name, QUICK)


async def ended(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await task


def end_call(run: LiveRun) -> asyncio.Task[None]:
    return asyncio.create_task(run.controller.goodbye.end_call("time limit"))


async def test_the_goodbye_is_spoken_then_the_session_is_closed_and_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(goodbye, "SPOKEN_AFTER", timedelta(seconds=20))
    farewell = replace(BYE, timeout=timedelta(seconds=200))
    async with live_run(RESPONSES, farewell=farewell) as run:
        task = end_call(run)
        told = await run.sent("session.instructions.append")
        assert told["content"] == "Say goodbye in one sentence."
        run.say("Before", 800, "output")
        run.tell(
            "session.instructions.appended",
            start_ms=1000,
            end_ms=1000,
            client_event_id=told["event_id"],
        )
        for number in range(8):
            run.say(" bye", 1200 + 200 * number, "output")
            await run.pass_time(timedelta(seconds=10))
            assert "session.close" not in run.kinds()
        await run.pass_time(timedelta(seconds=10))
        await run.sent("session.close")
        assert run.hang_ups == []
        run.tell("session.closed", reason="close_requested", usage={"seconds": 42.0})
        await ended(task)
        assert run.hang_ups == ["hung up"]
        assert run.controller.meter.tally().usage.counts()["seconds"] == 42
        assert await run.lines("steered") == []


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_a_model_that_says_nothing_does_not_keep_the_call(acknowledged: bool) -> None:
    farewell = Farewell("Say goodbye.", timeout=timedelta(milliseconds=100))
    async with live_run(RESPONSES, farewell=farewell) as run:
        task = end_call(run)
        told = await run.sent("session.instructions.append")
        if acknowledged:
            run.tell(
                "session.instructions.appended",
                start_ms=5,
                end_ms=5,
                client_event_id=told["event_id"],
            )
        await ended(task)
        assert run.hang_ups == ["hung up"]


async def test_a_model_that_does_not_stop_does_not_keep_the_call() -> None:
    farewell = Farewell("Say goodbye.", timeout=timedelta(milliseconds=100))
    async with live_run(RESPONSES, farewell=farewell) as run:
        task = end_call(run)
        told = await run.sent("session.instructions.append")
        run.tell(
            "session.instructions.appended", start_ms=5, end_ms=5, client_event_id=told["event_id"]
        )
        number = 0
        while not task.done():
            number += 1
            run.say(" and", 200 * number, "output")
            await run.pass_time(timedelta(milliseconds=5))
        assert run.hang_ups == ["hung up"]


async def test_a_goodbye_that_is_refused_or_lost_ends_the_call_all_the_same() -> None:
    async with live_run(RESPONSES, farewell=BYE) as run:
        task = end_call(run)
        told = await run.sent("session.instructions.append")
        run.fail("invalid_value", caused_by=told["event_id"])
        await ended(task)
        assert run.hang_ups == ["hung up"]
    async with live_run(RESPONSES, farewell=BYE) as run:
        run.connection.lost = True
        await ended(end_call(run))
        assert run.hang_ups == ["hung up"]


async def test_instructions_that_are_too_long_are_cut() -> None:
    farewell = Farewell("Goodbye. " * 400, timeout=timedelta(milliseconds=50))
    async with live_run(RESPONSES, farewell=farewell) as run:
        task = end_call(run)
        told = await run.sent("session.instructions.append")
        assert len(told["content"].encode()) <= 480
        await ended(task)


async def test_snapshots_are_not_added_and_tokens_count_once() -> None:
    async with live_run(RESPONSES) as run:
        for seconds in (14.0, 28.0, 28.0, 42.0):
            run.tell("session.usage.updated", usage={"seconds": seconds})
        for _ in range(2):
            run.end("resp_1")
        run.end("resp_2")
        await run.quiet()
        counts = run.controller.meter.tally().usage.counts()
        assert counts == {
            "text_in": 1600, "text_out": 40,
            "seconds": 42, "active_seconds": 42, "paused_seconds": 0,
        }  # fmt: skip
        assert [each.key for each in await run.lines("usage")] == ["14", "28", "42"]
        assert run.tallies[-1].usage.counts() == counts


async def test_paused_seconds_and_the_minimum() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.usage.updated", usage={"seconds": 3})
        assert run.controller.meter.tally().usage.counts()["seconds"] == 15
        run.tell("session.paused")
        run.tell("session.resumed")
        usage = {"seconds": 100.0, "active_seconds": 70, "paused_seconds": 30}
        run.tell("session.closed", reason="expired", usage=usage)
        counts = (await run.transcript()).to_json()["usage"]
        assert counts == {"seconds": 100, "active_seconds": 70, "paused_seconds": 30}
        assert len(await run.lines("paused")) == len(await run.lines("resumed")) == 1


async def test_a_lost_end_is_estimated_by_the_clock_and_said_so() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.usage.updated", usage={"seconds": 14.0})
        run.controller.meter.note_call_over(START + timedelta(seconds=90))
        counts = run.controller.meter.tally().usage.counts()
        assert (counts["seconds"], counts["estimated_seconds"]) == (90, 76)
        shown = (await run.transcript()).to_json()["usage"]
        assert (shown["seconds"], shown["estimated_seconds"]) == (90, 76)


async def test_an_end_that_was_told_is_not_estimated() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.closed", reason="close_requested", usage={"seconds": 20.0})
        run.controller.meter.note_call_over(START + timedelta(seconds=90))
        assert run.controller.meter.tally().usage.counts()["seconds"] == 20


async def test_a_run_that_takes_over_goes_on_counting() -> None:
    async with live_run(RESPONSES) as first:
        first.tell("session.usage.updated", usage={"seconds": 28.0})
        first.end("resp_1")
        first.fail(None, "Responses handoff incomplete.")
        await first.record()
    async with live_run(RESPONSES, log=first.log, holder="run-2") as second:
        second.tell("session.usage.updated", usage={"seconds": 28.0})
        second.end("resp_1")
        tally = second.controller.meter.tally()
        assert tally.usage.counts()["seconds"] == 28
        assert tally.usage.tokens.text_in == 800
        assert tally.failures == {"delegation_failed": {"handoff_incomplete": 1}}


async def test_a_filter_that_ends_the_session_is_a_failure() -> None:
    async with live_run(RESPONSES) as run:
        run.tell("session.closed", reason="content", usage={"seconds": 20.0})
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "session_ended", "code": "content_filter"}


async def test_what_is_being_said_at_the_end_is_on_record() -> None:
    async with live_run(RESPONSES) as run:
        run.say("Goodbye", 0)
        run.tell("session.closed", reason="close_requested", usage={"seconds": 20.0})
        assert [each.fields["text"] for each in await run.lines("turn")] == ["Goodbye"]


async def test_an_event_that_is_replayed_is_handled_once() -> None:
    async with live_run(RESPONSES) as run:
        for _ in range(3):
            run.tell("session.paused", event_id="event_same")
            run.fail(None, "boom")
        assert len(await run.lines("paused")) == 1
