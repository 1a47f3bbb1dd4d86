"""An observer of a Live session: what is said, heard and used."""

from __future__ import annotations

from datetime import timedelta

from shared.observer.context import Outcome
from shared.recordings.wav import HEADER_BYTES
from tests.contract.observer.harness import timing_of
from tests.contract.observer.live_run import following
from tests.contract.observer.live_service import CALL

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


async def test_a_record_that_cannot_be_written_keeps_no_lease() -> None:
    async with following(timing_of(shutdown=SOON)) as run:
        run.service.say("input", "Hello.")
        await run.handled()
        run.it.log.unavailable = True
        run.service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED
        assert run.it.leases.holder(CALL) is None
        run.it.log.unavailable = False


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
