"""An observer against the emulator: what it records, and what happens to the lease and the line."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import usage
from shared.recorder import log_name
from shared.sideband import Event, NoSuchCall, Sideband, SidebandClosed, SidebandUnavailable
from shared.storage import StorageUnavailable
from shared.storage.memory import MemoryLog
from shared.watched import Outcome, Timing
from tests.contract.observer.desk import QUICK, Gate, desk

HELLO = "Hello! How can I help you today?"


async def test_both_sides_in_order_and_every_token() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("hello")
        await call.turn("nice weather for a walk")
        await call.hang_up()
        observed = await watching.done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "closed")
        assert it.told(call.id) == [
            ("user", "hello"),
            ("assistant", HELLO),
            ("user", "nice weather for a walk"),
            ("assistant", "You said: nice weather for a walk."),
        ]
        script = it.transcript(call.id)
        assert (script.ended, script.gaps) == ("closed", 0)
        emulated = usage.of_response({"usage": (await it.state())["usage"]})
        assert observed.usage == script.usage == emulated
        assert emulated.total > 0
        assert it.leases.holder(call.id) is None


async def test_lines_are_numbered_and_unique() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call)
        for _ in range(5):
            await call.turn("hello")
        await call.hang_up()
        await watching.done()
        lines = it.raw(call.id)
        assert [line["seq"] for line in lines] == list(range(len(lines)))
        assert len({line["id"] for line in lines}) == len(lines)
        assert {line["call"] for line in lines} == {call.id}


async def test_a_late_observer_has_the_first_answer_and_states_the_gap() -> None:
    async with desk() as it:
        call = await it.call()
        await call.tell("response.create")
        await call.expect("response.done")
        started = datetime(2026, 1, 1, tzinfo=UTC)
        watching = await it.watch(call, started_at=started)
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        script = it.transcript(call.id)
        assert [entry.kind for entry in script.entries] == ["gap", "message", "message", "message"]
        gap, first = script.entries[:2]
        assert (gap.reason, gap.since) == ("late", started)
        assert first.text == "Hello! This is the emulator. Say something and I will say it back."


async def test_a_late_observer_has_the_first_answer_though_nothing_more_is_said() -> None:
    async with desk() as it:
        call = await it.call()
        await call.turn("hello")
        watching = await it.watch(call)
        await it.recorded(call.id, HELLO)
        await call.expect("conversation.item.deleted")
        await call.hang_up()
        await watching.done()
        assert [e.kind for e in it.transcript(call.id).entries] == ["gap", "message"]
        assert (await it.state())["calls"][0]["items"] == 2, "the probe is gone"


async def test_an_observer_that_comes_in_the_middle_of_the_first_answer_states_the_gap() -> None:
    async with desk(text_delta_seconds=0.05) as it:
        call = await it.call()
        await call.say("hello")
        await call.tell("response.create")
        await call.expect("response.output_text.delta")
        watching = await it.watch(call, timing_of(quiet=timedelta(minutes=1)))
        done = await call.expect("conversation.item.done")
        assert done["previous_item_id"] is None, "nothing names what was said"
        await call.expect("response.done")
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        kinds = [entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["gap", "message", "message", "message"]


async def test_an_empty_conversation_has_no_gap() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.expect("conversation.item.deleted")
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        assert [e.kind for e in it.transcript(call.id).entries] == ["message", "message"]


async def test_a_message_delivered_twice_makes_one_observer() -> None:
    async with desk() as it:
        call = await it.call()
        first = await it.watch(call)
        second = it.begin(call.id)
        assert (await second.done()).outcome is Outcome.HELD
        await call.turn("hello")
        await call.hang_up()
        await first.done()
        assert (await it.state())["calls"][0]["events"]["response.done"] == 1
        assert len([line for line in it.lines(call.id) if line.kind == "attached"]) == 1


async def test_the_lease_says_who_is_attached() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("hello")
        held = it.leases.holder(call.id)
        assert held is not None
        assert (held.holder, held.note) == (watching.holder, "attached")


async def test_an_observer_that_is_killed_is_replaced_and_the_gap_is_stated() -> None:
    async with desk() as it:
        call = await it.call()
        first = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
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
        emulated = usage.of_response({"usage": (await it.state())["usage"]})
        done = [e["response"] for e in call.events if e["type"] == "response.done"]
        missed = usage.of_response(done[1])
        assert observed.usage + missed == emulated, "all but the response inside the gap"


async def test_words_that_came_while_nobody_watched_are_fetched() -> None:
    """The caller's item was recorded; its transcript came after the observer had died."""
    async with desk(heard=("blue whales",)) as it:
        transcribed = {"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}
        call = await it.call(**transcribed)
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
        # As if the words had not been written any more.
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
    async with desk(lasts=lasts) as it:
        call = await it.call()
        first = await it.watch(call)
        it.skip += timedelta(seconds=5)
        assert it.leases.acquire(call.id, "another") is not None
        before = len(it.lines(call.id))
        assert (await first.done()).outcome is Outcome.LOST
        assert len(it.lines(call.id)) == before
        assert (await it.state())["live_calls"] == 1


async def test_a_holder_that_hangs_and_wakes_up_late_writes_nothing_over_anothers_lines() -> None:
    async with desk() as it:
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


ANOTHERS = (
    b'{"id":"x","call":"c","seq":99,"at":"2026-01-01T00:00:00Z","kind":"attached","key":"a"}\n'
)


async def test_a_clean_close_is_dialled_again_and_the_record_goes_on() -> None:
    drop = {"drop_after_seconds": 0.1, "times": 1}
    async with desk() as it:
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
    async with desk() as it:
        call = await it.call()
        await it.server.change(faults={"sideband": [drop, {"status": 503, "times": 1}]})
        watching = await it.watch(call)
        await it.written(call.id, lambda line: line.kind == "gap")
        await call.turn("hello")
        await call.hang_up()
        assert (await watching.done()).reason == "closed"
        assert ("assistant", HELLO) in it.told(call.id)


async def test_what_was_said_while_the_connection_was_lost_is_fetched() -> None:
    async with desk() as it:
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


async def test_what_was_said_between_a_kill_and_the_end_is_missing_and_said_to_be() -> None:
    async with desk(lasts=timedelta(milliseconds=300)) as it:
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


async def test_what_was_said_between_a_lost_connection_and_the_end_is_said_to_be_missing() -> None:
    async with desk() as it:
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


@pytest.mark.parametrize("closes", [1, 2])
async def test_a_connection_that_closes_without_a_word_is_dialled_again_once(closes: int) -> None:
    async with desk() as it:
        call = await it.call()
        silent = [Scripted() for _ in range(closes)]
        for each in silent:
            each.events.put_nowait(None)
        waiting: list[Sideband] = list(silent)

        async def connect(call_id: str) -> Sideband:
            return waiting.pop(0) if waiting else await it.connect(call_id)

        watching = await it.watch(call, parts={"connect": connect})
        if closes == 2:
            assert (await watching.done()).reason == "closed"
            return
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await call.hang_up()
        await watching.done()


async def test_a_session_that_expires_is_the_end() -> None:
    async with desk(session_seconds=0.4) as it:
        call = await it.call()
        observed = await (await it.watch(call)).done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "expired")
        assert it.transcript(call.id).ended == "expired"
        assert (await it.state())["requests"]["sideband"] == 2, "it was not dialled again"


async def test_no_such_call() -> None:
    async with desk() as it:
        observed = await it.begin("rtc_unknown").done()
        assert observed.outcome is Outcome.NOT_FOUND
        assert (await it.state())["requests"]["sideband"] == 5, "a fresh call may need a moment"
        assert it.lines("rtc_unknown") == []


async def test_a_call_that_is_over_is_not_followed_again() -> None:
    async with desk() as it:
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
    async with desk() as it:
        call = await it.call()
        first = await it.watch(call)
        await it.kill(first)
        await call.hang_up()
        it.skip += timedelta(seconds=31)
        observed = await it.begin(call.id).done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "gone")
        assert it.transcript(call.id).ended == "gone"


async def test_a_full_segment_asks_for_the_next_which_goes_on_with_the_same_record() -> None:
    short = timedelta(milliseconds=300)
    async with desk() as it:
        call = await it.call()
        first = await it.watch(call, timing_of(segment=short))
        await call.turn("hello")
        observed = await first.done()
        assert observed.outcome is Outcome.CONTINUE
        assert it.leases.holder(call.id) is None, "the next one need not wait"
        second = await it.watch(call)
        await call.turn("hi")
        await call.hang_up()
        whole = (await second.done()).usage
        script = it.transcript(call.id)
        assert [e.text or e.kind for e in script.entries] == ["hello", HELLO, "gap", "hi", HELLO]
        assert whole == usage.of_response({"usage": (await it.state())["usage"]})


def timing_of(**changes: Any) -> Timing:
    return replace(QUICK, **changes)


async def test_without_transcripts_no_word_is_written_and_the_tokens_are() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call, words=False)
        await call.turn("hello")
        await call.hang_up()
        observed = await watching.done()
        raw = it.log.read(log_name(call.id))
        assert b"hello" not in raw.lower()
        assert it.transcript(call.id).entries == ()
        assert observed.usage == it.transcript(call.id).usage != usage.NOTHING


async def test_what_is_said_is_redacted_before_it_is_written() -> None:
    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("my card is 4111 1111 1111 1111")
        await call.hang_up()
        await watching.done()
        assert b"4111" not in it.log.read(log_name(call.id))
        assert it.told(call.id)[0] == ("user", "my card is [card]")


async def test_storage_that_is_away_for_a_while_loses_nothing() -> None:
    async with desk(lasts=timedelta(milliseconds=300)) as it:
        call = await it.call()
        watching = await it.watch(call)
        append, renew = it.log.append, it.leases.renew
        failed = asyncio.Event()

        def away(*args: Any, **kwargs: Any) -> Any:
            it.log.loop.call_soon_threadsafe(failed.set)
            raise StorageUnavailable("away")

        it.log.append = away  # type: ignore[method-assign]
        await call.turn("hello")
        await failed.wait()
        it.log.append, it.leases.renew = append, renew  # type: ignore[method-assign]
        await it.recorded(call.id, HELLO)
        await call.hang_up()
        await watching.done()
        lines = it.raw(call.id)
        assert len({line["id"] for line in lines}) == len(lines)


class Scripted:
    """A sideband that is told what to say: for what no emulator says."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.sent: asyncio.Queue[Event] = asyncio.Queue()

    async def send(self, event: Any) -> None:
        self.sent.put_nowait(dict(event))

    async def receive(self) -> Event:
        event = await self.events.get()
        if event is None:
            raise SidebandClosed(1000, clean=True)
        return event

    async def close(self) -> None:
        self.events.put_nowait(None)


async def test_the_walk_goes_on_where_retrieved_items_name_the_one_before() -> None:
    """Azure's reference shows `previous_item_id` there; the official types do not."""

    def item(name: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": f"text {name}"}]
        return {
            "id": name,
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": content,
        }

    async with desk() as it:
        scripted, dialled = Scripted(), [0]

        async def connect(call_id: str) -> Sideband:
            dialled[0] += 1
            if dialled[0] > 1:
                raise NoSuchCall
            return scripted

        watching = it.begin("rtc_1", parts={"connect": connect})
        added = {"type": "conversation.item.added", "previous_item_id": "c", "item": item("d")}
        scripted.events.put_nowait(added)
        scripted.events.put_nowait({**added, "type": "conversation.item.done"})
        previous = {"c": "b", "b": "a", "a": None}
        while previous:
            event = await asyncio.wait_for(scripted.sent.get(), 5)
            if event["type"] == "conversation.item.retrieve":
                name = event["item_id"]
                told = {"type": "conversation.item.retrieved", "item": item(name)}
                scripted.events.put_nowait({**told, "previous_item_id": previous.pop(name)})
        scripted.events.put_nowait(None)
        assert (await watching.done()).reason == "closed"
        entries = it.transcript("rtc_1").entries
        assert [e.item_id or e.kind for e in entries] == ["gap", "a", "b", "c", "d"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    async with desk(faults={"sideband": [{"status": status}]}) as it:
        observed = await it.begin("rtc_1").done()
        assert observed.outcome is Outcome.UNREACHABLE
        assert (await it.state())["requests"]["sideband"] == 1


async def test_nobody_answers() -> None:
    async def connect(call_id: str) -> Sideband:
        raise SidebandUnavailable

    async with desk() as it:
        timing = timing_of(redial=timedelta(0))
        assert (await it.begin("rtc_1", timing, parts={"connect": connect}).done()).outcome is (
            Outcome.UNREACHABLE
        )


async def test_an_event_that_nobody_understands_does_not_end_the_record() -> None:
    async with desk() as it:
        scripted = Scripted()
        dialled = iter([scripted])

        async def connect(call_id: str) -> Sideband:
            found = next(dialled, None)
            if found is None:
                raise NoSuchCall
            return found

        watching = it.begin("rtc_1", parts={"connect": connect})
        for strange in (
            {"type": "conversation.item.added"},
            {"type": "response.done", "response": 1},
            {},
        ):
            scripted.events.put_nowait(strange)
        item = {"id": "a", "type": "message", "role": "user", "status": "completed",
                "content": [{"type": "input_text", "text": "still here"}]}  # fmt: skip
        for kind in ("added", "done"):
            scripted.events.put_nowait(
                {"type": f"conversation.item.{kind}", "previous_item_id": None, "item": item}
            )
        await it.recorded("rtc_1", "still here")
        scripted.events.put_nowait(None)
        await watching.done()
