"""What a lost connection, or a run that takes over, costs the record of a Live session."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.observer.context import Outcome
from tests.contract.observer.harness import observed_calls, timing_of
from tests.contract.observer.live_run import begin, following
from tests.contract.observer.live_service import TORN, LiveService

SOON = timedelta(milliseconds=30)


async def test_what_comes_again_after_a_loss_shows_that_nothing_is_missing() -> None:
    async with following() as run:
        run.service.say("input", "One,", " two,")
        await run.handled()
        run.service.lose()
        run.service.say("input", " three,", " four.")
        await run.written("attached")
        run.service.say("output", "Five.")
        await run.handled()
        run.service.close("close_requested")
        await run.watching.done()
        assert run.said() == [("user", "One, two, three, four."), ("assistant", "Five.")]
        assert run.service.dials == 2
        assert run.entries("gap") == []
        assert run.lines("lost") == []


async def test_a_loss_after_which_nothing_comes_again_is_a_gap() -> None:
    async with following() as run:
        run.service.replays = 0
        run.service.say("input", "Before.")
        await run.handled()
        run.service.lose()
        await run.written("gap", reason="reconnected")
        run.service.say("input", "After.")
        run.service.close("close_requested")
        await run.watching.done()
        texts = [text or "" for _, text in run.said()]
        assert "Before." in texts[0]
        assert "After." in texts[-1]


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=30)])
async def test_what_was_had_since_the_loss_bridges_no_gap(later: timedelta) -> None:
    """A connection that does not hold is lost again, and the next begins with what it had."""
    timing = timing_of(lost_after=SOON + later, holds_after=timedelta(minutes=1))
    async with following(timing) as run:
        await run.service.connected.get()
        run.service.say("input", "Before.")
        await run.handled()
        (lost,) = run.service.sidebands
        # Half open: nothing comes through it.
        run.service.sidebands.clear()
        run.service.say("input", *(f" missed {n}" for n in range(40)))
        run.service.replays = 5
        lost.frames.put_nowait(TORN)
        await run.connected_again()
        run.service.lose()
        await run.connected_again()
        run.service.close("close_requested")
        await run.watching.done()
        assert [each.reason for each in run.entries("gap")] == ["reconnected"]
        texts = "".join(text or "" for _, text in run.said())
        assert "missed 0" not in texts
        assert "missed 39" in texts


async def test_a_run_that_takes_over_doubles_nothing_and_states_the_gap() -> None:
    async with following() as first:
        first.service.say("input", "What", " is", " the", " weather?")
        first.service.say("output", "Let", " me", " look.")
        await first.handled()
        first.service.at_ms += 6000
        first.service.say("input", "Thanks.")
        await first.written("turn", role="assistant", text="Let me look.")
        second = await first.take_over()
        second.service.say("output", "It", " rains.")
        second.service.close("close_requested")
        await second.watching.done()
        texts = [text for _, text in second.said()]
        assert texts.count("What is the weather?") == 1
        assert texts.count("Let me look.") == 1
        assert texts[-1] == "It rains."
        assert [each.reason for each in second.entries("gap")] == ["taken over"]


async def test_a_run_that_comes_late_says_so() -> None:
    async with observed_calls() as it:
        started = it.clock() - timedelta(minutes=1)
        run = await begin(it, LiveService(), started_at=started)
        run.service.close("close_requested")
        await run.watching.done()
        assert [each.reason for each in run.entries("gap")] == ["late"]


async def test_a_segment_that_is_full_is_followed_by_the_next() -> None:
    async with following(timing_of(segment=timedelta(milliseconds=200))) as first:
        first.service.say("input", "One.")
        assert (await first.watching.done()).outcome is Outcome.CONTINUE
        second = await begin(first.it, first.service)
        second.service.say("output", "Two.")
        second.service.close("close_requested")
        await second.watching.done()
        assert [text for _, text in second.said()] == ["One.", "Two."]
