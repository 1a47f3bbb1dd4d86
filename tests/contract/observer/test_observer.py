"""An observer of the emulator's calls: what it records, and what happens to its lease."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.observer.context import Outcome
from shared.transcripts.writer import log_name
from shared.usage import tokens
from tests.contract.observer.harness import HELLO, observed_calls, timing_of


async def test_both_sides_in_order_and_every_token() -> None:
    async with observed_calls() as it:
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
        emulated = tokens.usage_of_response({"usage": (await it.state())["usage"]})
        assert observed.usage == script.usage == emulated
        assert emulated.total > 0
        assert it.leases.holder(call.id) is None


async def test_lines_are_numbered_and_unique() -> None:
    async with observed_calls() as it:
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
    async with observed_calls() as it:
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
    async with observed_calls() as it:
        call = await it.call()
        await call.turn("hello")
        watching = await it.watch(call)
        await it.recorded(call.id, HELLO)
        await call.expect("conversation.item.deleted")
        await call.hang_up()
        await watching.done()
        assert [e.kind for e in it.transcript(call.id).entries] == ["gap", "message"]
        assert (await it.state())["calls"][0]["items"] == 2, "the probe is gone"


async def test_an_observer_that_comes_just_before_the_end_states_the_gap() -> None:
    async with observed_calls() as it:
        call = await it.call()
        await call.turn("hello")
        watching = await it.watch(call, timing_of(probe_after=timedelta(minutes=1)))
        await call.hang_up()
        await watching.done()
        script = it.transcript(call.id)
        assert [entry.reason for entry in script.entries] == ["late"]


async def test_an_observer_that_comes_in_the_middle_of_the_first_answer_states_the_gap() -> None:
    async with observed_calls(text_delta_seconds=0.15) as it:
        call = await it.call()
        await call.say("hello")
        await call.tell("response.create")
        await call.expect("response.output_text.delta")
        watching = await it.watch(call, timing_of(probe_after=timedelta(minutes=1)))
        done = await call.expect("conversation.item.done")
        assert done["previous_item_id"] is None, "no event names what was said"
        await call.expect("response.done")
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        kinds = [entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["gap", "message", "message", "message"]


async def test_an_empty_conversation_has_no_gap() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.expect("conversation.item.deleted")
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        assert [e.kind for e in it.transcript(call.id).entries] == ["message", "message"]


async def test_a_message_delivered_twice_makes_one_observer() -> None:
    async with observed_calls() as it:
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
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("hello")
        held = it.leases.holder(call.id)
        assert held is not None
        assert (held.holder, held.note) == (watching.holder, "attached")


async def test_without_transcripts_no_word_is_written_and_the_tokens_are() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call, keep_words=False)
        await call.turn("hello")
        await call.hang_up()
        observed = await watching.done()
        raw = it.log.read(log_name(call.id))
        assert b"hello" not in raw.lower()
        assert it.transcript(call.id).entries == ()
        assert observed.usage == it.transcript(call.id).usage != tokens.ZERO


async def test_what_is_said_is_redacted_before_it_is_written() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("my card is 4111 1111 1111 1111")
        await call.hang_up()
        await watching.done()
        assert b"4111" not in it.log.read(log_name(call.id))
        assert it.told(call.id)[0] == ("user", "my card is [card]")


async def test_storage_that_is_away_for_a_while_loses_nothing() -> None:
    async with observed_calls(lasts=timedelta(milliseconds=300)) as it:
        call = await it.call()
        watching = await it.watch(call)
        it.log.unavailable = True
        await call.turn("hello")
        await it.log.failed.wait()
        it.log.unavailable = False
        await it.recorded(call.id, HELLO)
        await call.hang_up()
        await watching.done()
        lines = it.raw(call.id)
        assert len({line["id"] for line in lines}) == len(lines)
