"""An observer of a Live session: what is said, how it ends, and what a lost connection costs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.observer.context import Farewell, Outcome, Tally
from shared.observer.live import goodbye
from shared.recordings.wav import HEADER_BYTES
from shared.sideband.sideband import NoSuchCall, SidebandUnavailable
from tests.contract.observer.harness import observed_calls, timing_of
from tests.contract.observer.live_run import begin, following
from tests.contract.observer.live_service import CALL, TORN, LiveService

SOON = timedelta(milliseconds=30)


async def test_what_both_say_is_on_record_once() -> None:
    async with following() as run:
        run.service.tell("session.started", session=run.service.resource())
        run.service.say("input", "Can", " you", " hear", " me?")
        run.service.say("output", "I", " can.")
        run.service.close("close_requested")
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "closed")
        assert run.said() == [("user", "Can you hear me?"), ("assistant", "I can.")]
        assert run.entries("gap") == []
        assert run.service.hang_ups == 1, "the end is confirmed"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("close_requested", "closed"),
        ("client_request", "closed"),
        ("expired", "expired"),
        ("content", "content"),
        ("connection_lost", "connection_lost"),
        ("remote_hangup", "remote_hangup"),
        ("moved_to_mars", "moved_to_mars"),
    ],
)
@pytest.mark.parametrize("torn", [False, True])
async def test_why_a_session_was_closed_is_on_record(told: str, reason: str, torn: bool) -> None:
    async with following() as run:
        run.service.use(61.5)
        run.service.close(told, torn=torn)
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, reason)
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": reason, "close_reason": told}
        assert result.settled_by == "hang-up answered"
        assert result.tally.usage.live is not None
        assert (result.tally.usage.live.seconds, result.tally.usage.live.is_final) == (61.5, True)
        assert run.service.dials == 1
        assert run.entries("gap") == []


async def test_a_reason_that_is_no_word_does_no_harm() -> None:
    async with following() as run:
        run.service.close("<b>" * 5000)
        result = await run.watching.done()
        assert result.outcome is Outcome.ENDED
        assert len(result.reason) < 100


async def test_a_connection_that_stays_open_after_the_end_is_closed() -> None:
    async with following() as run:
        run.service.is_over = True
        usage = {"seconds": 15.0}
        run.service.tell("session.closed", reason="expired", session={}, usage=usage)
        assert (await run.watching.done()).reason == "expired"


async def test_an_end_that_nobody_tells_is_found_by_dialling_again() -> None:
    async with following() as run:
        run.service.say("input", "Bye.")
        await run.handled()
        run.service.close("", silent=True, torn=True)
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "closed")
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": "closed"}
        assert result.tally.usage.live is not None
        assert not result.tally.usage.live.is_final, "reckoned by the clock"
        assert [line.fields.get("estimated") for line in run.lines("usage")] == [True]


async def test_an_end_that_nobody_tells_and_upstream_does_not_confirm_is_none() -> None:
    async with following() as run:
        run.service.confirms = False
        run.service.close("", silent=True)
        result = await run.watching.done()
        assert (result.outcome, result.settled_by) == (Outcome.UNREACHABLE, "")
        assert run.lines("ended") == []


ENDED = {"type": "session.closed", "event_id": "event_end", "reason": "expired"}


@pytest.mark.parametrize(
    "event",
    [
        {**ENDED, "session": {}, "usage": {"seconds": 61.5}},
        {**ENDED, "usage": {"seconds": 61.5}, "session": {"instructions": "x" * 600_000}},
        {**ENDED, "event_id": "event_0", "session": {}, "usage": {"seconds": 61.5}},
    ],
    ids=["usual", "too large", "known id"],
)
async def test_the_event_that_tells_the_end_proves_it(event: dict[str, Any]) -> None:
    async with following() as run:
        run.service.say("input", "Bye.")
        await run.handled()
        run.service.confirms = False
        run.service.is_over = True
        run.service.send_frame(json.dumps(event))
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "expired")
        assert result.settled_by == "closed"
        assert result.tally.usage.live is not None
        assert (result.tally.usage.live.seconds, result.tally.usage.live.is_final) == (61.5, True)
        again = await begin(run.it, run.service, waits=False)
        assert (await again.watching.done()).settled_by == "closed", "the record has it"


@pytest.mark.parametrize(
    "frame",
    [
        '{"event_id":"a","session":{"tools":[{"type":"session.closed","reason":"expired"}],"x":'
        + "[" * 400
        + "]" * 400
        + "}}",
        '{"session":{"a":[{"b":{},"type":"session.closed"}],"c":"' + "x" * 600_000 + '"}}',
        '["{\\"type\\":\\"session.closed\\"}"]',
        '{"type":"session.closed"',
    ],
    ids=["nested", "large", "quoted", "cut"],
)
async def test_what_only_looks_like_the_end_is_none(frame: str) -> None:
    async with following() as run:
        run.service.send_frame(frame)
        await run.handled()
        run.service.say("input", "Still", " here.")
        await run.handled()
        assert run.service.hang_ups == 0
        run.service.close("close_requested")
        await run.watching.done()
        assert run.said() == [("user", "Still here.")]


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


async def test_a_session_that_ended_before_it_could_be_attached_to() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.is_over = True
        run = await begin(it, service, waits=False)
        result = await run.watching.done()
        assert (result.outcome, service.dials) == (Outcome.NOT_FOUND, 5)
        assert service.hang_ups == 1
        assert result.tally.usage.live is not None
        assert result.tally.usage.live.seconds >= 15, "it has cost as much"


async def test_a_session_that_nobody_has_seen_is_reckoned_by_the_clock() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.is_over = True
        started = it.clock() - timedelta(minutes=2)
        run = await begin(it, service, waits=False, started_at=started)
        result = await run.watching.done()
        assert result.tally.usage.live is not None
        assert 120 <= result.tally.usage.live.seconds < 180


async def test_a_record_that_cannot_be_written_keeps_no_lease() -> None:
    async with following(timing_of(shutdown=SOON)) as run:
        run.service.say("input", "Hello.")
        await run.handled()
        run.it.log.unavailable = True
        run.service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED
        assert run.it.leases.holder(CALL) is None
        run.it.log.unavailable = False


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_attach_that_is_refused_for_good(status: int) -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.refusals = [SidebandUnavailable(status)] * 10
        run = await begin(it, service, waits=False)
        result = await run.watching.done()
        assert result.outcome is Outcome.UNREACHABLE
        # Another 404 than the endpoint's own may pass, for a moment.
        assert service.dials == (5 if status == 404 else 1)
        assert service.hang_ups == 0, "the session goes on"
        service.refusals.clear()


NO_QUOTA = {"type": "server_error", "code": "insufficient_quota"}


async def test_an_error_with_which_a_connection_begins_refuses_it() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.tell("error", error=NO_QUOTA)
        run = await begin(it, service)
        service.lose()
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.UNREACHABLE, "insufficient_quota")


async def test_an_error_of_delegated_work_refuses_no_connection() -> None:
    async with following() as run:
        await run.service.connected.get()
        run.service.say("input", "Hello.")
        run.service.tell("error", error=NO_QUOTA)
        run.service.lose()
        await run.connected_again()
        run.service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED


async def test_an_attach_that_is_redirected_or_refused_for_a_while_is_dialled_again() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.refusals = [NoSuchCall(), SidebandUnavailable(307), SidebandUnavailable(500)]
        run = await begin(it, service)
        assert service.dials == 4
        service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED


async def test_frames_that_are_no_events_cost_themselves() -> None:
    frames: list[str | bytes] = [
        "",
        "no JSON",
        b"\xff\xfe",
        "[]",
        "null",
        '{"type":',
        '{"type":{}}',
        '{"type":"session.input_transcript.delta"}',
        '{"type":"session.closed"}',
        '{"type":"session.usage.updated","usage":{"seconds":"many"}}',
        '{"type":"session.output_audio.delta","delta":1}',
        '{"type":"session.hologram.delta","event_id":"e"}',
        '{"type":"session.started","session":[]}',
        "[" * 100_000,
    ]
    async with following() as run:
        for frame in frames:
            run.service.send_frame(frame)
        run.service.say("input", "Still", " here.")
        await run.handled()
        run.service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED
        assert run.said() == [("user", "Still here.")]
        assert run.lines("unread")


async def test_the_server_says_goodbye_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodbye, "SPOKEN_AFTER", SOON)
    async with observed_calls() as it:
        soon = it.clock() + timedelta(seconds=1)
        run = await begin(it, LiveService(), ends_at=soon, farewell=Farewell("Say goodbye."))
        asked = await run.sent("session.instructions.append")
        assert (asked["content"], asked["delegation_id"]) == ("Say goodbye.", None)
        run.service.say("output", "Good", "bye.")
        await run.sent("session.close")
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "time limit")
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": "time limit", "close_reason": "close_requested"}
        assert run.said() == [("assistant", "Goodbye.")]
        assert run.service.hang_ups == 1


async def test_a_session_that_does_not_close_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodbye, "BEGINS_WITHIN", SOON)
    monkeypatch.setattr(goodbye, "CLOSED_WITHIN", SOON)
    async with observed_calls() as it:
        service = LiveService()
        service.answers_close = False
        farewell = Farewell("Say goodbye.", timeout=timedelta(milliseconds=200))
        run = await begin(it, service, ends_at=it.clock(), farewell=farewell)
        await run.sent("session.close")
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "time limit")
        assert service.hang_ups == 1


async def test_a_call_whose_budget_is_used_up_is_ended() -> None:
    async def spend(tally: Tally) -> bool:
        return tally.usage.live is not None and tally.usage.live.seconds > 100

    async with following(parts={"spend": spend}) as run:
        run.service.use(60)
        await run.handled()
        assert run.service.hang_ups == 0
        run.service.use(120)
        result = await run.watching.done()
        assert result.outcome is Outcome.ENDED
        assert "budget" in result.reason


async def test_usage_is_accounted_for_as_it_comes() -> None:
    async with following() as run:
        run.service.use(14)
        run.service.use(28)
        run.service.use(14)
        run.service.close("close_requested")
        result = await run.watching.done()
        assert result.tally.usage.live is not None
        assert result.tally.usage.live.seconds == 28
        told = [each.usage.live.seconds for each in run.tallies if each.usage.live]
        assert told == sorted(told)
        assert told[-1] == 28


async def test_no_audio_is_kept_unless_calls_are_recorded() -> None:
    async with following() as run:
        run.service.hear(b"\x01\x02" * 4800)
        run.service.hear(b"\x03\x04" * 4800, 0)
        await run.handled()
        run.service.close("close_requested")
        await run.watching.done()
        assert run.it.log.length(f"{CALL}.wav") == 0


async def test_both_voices_are_recorded_where_calls_are() -> None:
    async with following(parts={"records_audio": True}) as run:
        for piece in range(5):
            run.service.hear(b"\x01\x02" * 4800)
            run.service.hear(b"\x03\x04" * 4800, 200 * piece)
        await run.handled()
        run.service.close("close_requested")
        await run.watching.done()
        data = run.it.log.read(f"{CALL}.wav")
        samples = data[HEADER_BYTES:]
        assert b"\x01\x02\x03\x04" * 4800 in samples, "left the caller, right the model"
        assert [line.key for line in run.lines("recording")] == ["begun"]


async def test_a_segment_that_is_full_is_followed_by_the_next() -> None:
    async with following(timing_of(segment=timedelta(milliseconds=200))) as first:
        first.service.say("input", "One.")
        assert (await first.watching.done()).outcome is Outcome.CONTINUE
        second = await begin(first.it, first.service)
        second.service.say("output", "Two.")
        second.service.close("close_requested")
        await second.watching.done()
        assert [text for _, text in second.said()] == ["One.", "Two."]
