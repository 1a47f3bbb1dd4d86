"""Lost connections, killed and suspended observers: who takes over, and which gaps are stated."""

from __future__ import annotations

from datetime import timedelta

from shared.observer.context import Outcome
from shared.storage.memory import MemoryLog
from shared.transcripts.writer import log_name
from shared.usage import tokens
from tests.contract.observer.harness import HELLO, Gate, observed_calls, timing_of

ANOTHERS = (
    b'{"id":"x","call":"c","seq":99,"at":"2026-01-01T00:00:00Z","kind":"attached","key":"a"}\n'
)


async def test_an_observer_that_is_killed_is_replaced_and_the_gap_is_stated() -> None:
    async with observed_calls() as it:
        call = await it.call()
        first = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await it.written(call.id, lambda line: line.kind == "response")
        killed_at = it.clock()
        await it.kill(first)
        await call.turn("unheard")
        assert (await it.begin(call.id).done()).outcome is Outcome.HELD
        it.skip += timedelta(seconds=31)
        second = await it.watch(call)
        await call.turn("good morning")
        await call.hang_up()
        observed = await second.done()
        script = it.transcript(call.id)
        kinds = [entry.text or entry.kind for entry in script.entries]
        assert kinds == ["hello", HELLO, "gap", "You said: unheard.", "good morning", HELLO]
        gap = script.entries[2]
        assert gap.reason == "taken over"
        assert gap.since is not None
        assert gap.since <= killed_at
        lines = it.raw(call.id)
        assert len({line["id"] for line in lines}) == len(lines)
        emulated = tokens.usage_of_response({"usage": (await it.state())["usage"]})
        done = [e["response"] for e in call.events if e["type"] == "response.done"]
        missed = tokens.usage_of_response(done[1])
        assert observed.usage + missed == emulated, "all but the response inside the gap"


async def test_words_that_came_without_an_observer_are_fetched() -> None:
    """The caller's item was recorded; its transcript came after the observer had died."""
    async with observed_calls(heard=("blue whales",)) as it:
        transcribed = {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}
        call = await it.call(audio=transcribed)
        first = await it.watch(call)
        await call.tell(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        )
        await call.tell("input_audio_buffer.append", audio="AAAA" * 12_000)
        await call.expect("session.updated")
        await call.tell("input_audio_buffer.commit")
        item = (await call.expect("conversation.item.added"))["item"]["id"]
        await it.written(call.id, lambda line: line.kind == "placed" and line.key == item)
        await call.expect("conversation.item.input_audio_transcription.completed")
        await it.written(call.id, lambda line: line.kind == "words" and line.key == item)
        await it.kill(first)
        # As if the observer had died before it wrote the words.
        name = log_name(call.id)
        kept = [
            raw
            for raw in it.log.read(name).splitlines(keepends=True)
            if b'"kind":"words"' not in raw
        ]
        it.log.delete(name)
        it.log.append(name, b"".join(kept), at=0)
        it.skip += timedelta(seconds=31)
        second = await it.watch(call)
        await it.recorded(call.id, "blue whales")
        await call.hang_up()
        await second.done()
        assert ("user", "blue whales") in it.told(call.id)


async def test_a_run_whose_lease_is_taken_stops_at_once_and_writes_nothing_more() -> None:
    lasts = timedelta(milliseconds=300)
    async with observed_calls(lasts=lasts) as it:
        call = await it.call()
        first = await it.watch(call)
        it.skip += timedelta(seconds=5)
        assert it.leases.acquire(call.id, "another") is not None
        before = len(it.lines(call.id))
        assert (await first.done()).outcome is Outcome.LOST
        assert len(it.lines(call.id)) == before
        assert (await it.state())["live_calls"] == 1


async def test_a_holder_that_hangs_and_wakes_up_late_writes_nothing_over_anothers_lines() -> None:
    async with observed_calls() as it:
        call = await it.call()
        first = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        it.log.block.clear()
        await call.turn("first's own")
        name = log_name(call.id)
        it.skip += timedelta(seconds=31)
        assert it.leases.acquire(call.id, "another") is not None
        MemoryLog.append(it.log, name, ANOTHERS, at=it.log.length(name))
        it.log.block.set()
        assert (await first.done()).outcome is Outcome.LOST
        assert it.log.read(name).endswith(ANOTHERS)
        assert b"first's own" not in it.log.read(name)


async def test_a_clean_close_is_dialled_again_and_the_record_goes_on() -> None:
    drop = {"drop_after_seconds": 0.1, "times": 1}
    async with observed_calls() as it:
        call = await it.call()
        await it.server.change(faults={"sideband": [drop]})
        watching = await it.watch(call)
        gap = await it.written(call.id, lambda line: line.kind == "gap")
        assert gap.fields["reason"] == "reconnected"
        await call.turn("hello")
        await call.hang_up()
        assert (await watching.done()).outcome is Outcome.ENDED
        assert [e.text for e in it.transcript(call.id).entries if e.kind == "message"] == [
            "hello",
            HELLO,
        ]
        assert (await it.state())["requests"]["sideband"] == 4, (
            "driver, twice the observer, the end"
        )


async def test_a_cut_connection_is_dialled_again() -> None:
    drop = {"drop_after_seconds": 0.1, "times": 1, "reset": True}
    async with observed_calls() as it:
        call = await it.call()
        await it.server.change(faults={"sideband": [drop, {"status": 503, "times": 1}]})
        watching = await it.watch(call)
        await it.written(call.id, lambda line: line.kind == "gap")
        await call.turn("hello")
        await call.hang_up()
        assert (await watching.done()).reason == "closed"
        assert ("assistant", HELLO) in it.told(call.id)


async def test_what_was_said_while_the_connection_was_lost_is_fetched() -> None:
    async with observed_calls() as it:
        call = await it.call()
        gate = Gate(it.connect)
        watching = await it.watch(call, parts={"connect": gate})
        await call.turn("hi")
        await gate.cut()
        await call.turn("nobody listens")
        gate.open.set()
        await it.recorded(call.id, "You said: nobody listens.")
        await call.hang_up()
        await watching.done()
        kinds = [entry.text or entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["hi", HELLO, "gap", "You said: nobody listens."]


async def test_what_was_said_between_a_kill_and_the_end_is_a_stated_gap() -> None:
    async with observed_calls(lasts=timedelta(milliseconds=300)) as it:
        call = await it.call()
        first = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await it.kill(first)
        await call.turn("nobody listens")
        await call.hang_up()
        it.skip += timedelta(seconds=1)
        observed = await it.begin(call.id).done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "gone")
        kinds = [entry.text or entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["hello", HELLO, "gap"]


async def test_what_was_said_between_a_lost_connection_and_the_end_is_a_stated_gap() -> None:
    async with observed_calls() as it:
        call = await it.call()
        gate = Gate(it.connect)
        watching = await it.watch(call, parts={"connect": gate})
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await gate.cut()
        await call.turn("nobody listens")
        await call.hang_up()
        it.skip += timedelta(seconds=5)
        gate.open.set()
        assert (await watching.done()).reason == "closed"
        kinds = [entry.text or entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["hello", HELLO, "gap"]


async def test_a_full_segment_asks_for_the_next_which_goes_on_with_the_same_record() -> None:
    short = timedelta(seconds=1.5)
    async with observed_calls() as it:
        call = await it.call()
        first = await it.watch(call, timing_of(segment=short))
        await call.turn("hello")
        observed = await first.done()
        assert observed.outcome is Outcome.CONTINUE
        assert it.leases.holder(call.id) is None, "the next run need not wait"
        second = await it.watch(call)
        await call.turn("hi")
        await call.hang_up()
        whole = (await second.done()).usage
        script = it.transcript(call.id)
        assert [e.text or e.kind for e in script.entries] == ["hello", HELLO, "gap", "hi", HELLO]
        assert whole == tokens.usage_of_response({"usage": (await it.state())["usage"]})
