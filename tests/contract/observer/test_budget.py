"""A call that runs out of tokens or time: the goodbye, and the hang-up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.core.clock import MILLISECOND
from shared.core.problems import Problem
from shared.observer.context import Farewell, Outcome, Tally
from shared.realtime.event_frames import read_frame
from shared.sideband.json_frames import LARGEST_READ
from tests.contract.observer.harness import QUICK, Call, Gate, ObservedCalls, observed_calls
from tests.contract.observer.scripted_run import scripted
from tests.contract.observer.scripted_sideband import ScriptedSideband
from tests.contract.observer.sessions import SESSION, call_with
from tests.support.patience import PATIENCE


async def hung_up(it: ObservedCalls, call: Call) -> None:
    while (await call.socket.receive(timeout=PATIENCE)).type.name == "TEXT":
        pass
    assert (await it.state())["live_calls"] == 0


async def test_a_call_over_its_budget_hears_why_and_ends() -> None:
    spent: list[int] = []

    async def spend(tally: Tally) -> bool:
        spent.append(tally.total)
        return len(spent) >= 2

    farewell = Farewell("Say that the day's tokens are used up.")
    rules = [{"words": ["tokens"], "say": "no"}]
    async with observed_calls(rules=rules) as it:
        call = await call_with(it, SESSION)

        async def hang_up() -> None:
            await it.hang_up(call.id)

        parts = {"spend": spend, "hang_up": hang_up}
        watching = await it.watch(call, parts=parts, session=SESSION, farewell=farewell)
        await call.turn("one")
        await call.turn("two")
        created = await call.expect("response.created")
        assert created["response"]["metadata"] == {"purpose": "goodbye"}
        await call.expect("response.done")
        observed = await watching.done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "token budget")
        await hung_up(it, call)
        assert it.transcript(call.id).ended == "token budget"
        assert spent == sorted(spent), "counted from the start of the call"
        assert observed.usage.total > spent[1], "the goodbye is counted too"


async def test_a_call_whose_usage_cannot_be_read_is_ended() -> None:
    rules = [{"words": ["long"], "say": "x" * (LARGEST_READ + 1)}]
    async with observed_calls(rules=rules) as it:
        call = await call_with(it, SESSION)

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(call, parts={"hang_up": hang_up}, session=SESSION)
        await call.say("long")
        await call.tell("response.create")
        assert (await watching.done()).reason == "usage not readable"
        await hung_up(it, call)


@pytest.mark.parametrize("response", ["{", "[" * 9000, '{"id":"r\x00"}', " " * LARGEST_READ])
async def test_usage_that_is_unreadable_for_any_reason_ends_the_call(response: str) -> None:
    """Whatever a page has put into the response's metadata."""
    async with scripted(timing=replace(QUICK, shutdown=50 * MILLISECOND)) as run:
        frame = f'{{"type":"response.done","response":{response}}}'
        run.sideband.events.put_nowait(read_frame(frame))
        assert (await run.watching.done()).reason == "usage not readable"


async def test_without_words_it_is_hung_up_at_once() -> None:
    async def spend(_: Tally) -> bool:
        return True

    async with observed_calls() as it:
        call = await it.call()

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(call, parts={"spend": spend, "hang_up": hang_up})
        await call.turn("one")
        assert (await watching.done()).reason == "token budget"
        state = (await it.state())["calls"][0]
        assert state["events"]["response.created"] == 1


async def test_a_ledger_that_is_away_ends_no_call() -> None:
    async def spend(_: Tally) -> bool:
        raise Problem("storage_unavailable")

    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call, parts={"spend": spend})
        await call.turn("one")
        await call.turn("two")
        await call.hang_up()
        assert (await watching.done()).reason == "closed"


async def test_a_goodbye_ahead_of_the_hard_limit() -> None:
    async with observed_calls() as it:
        call = await it.call()

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(
            call,
            replace(QUICK, goodbye_ahead=timedelta(seconds=60)),
            parts={"hang_up": hang_up},
            farewell=Farewell("Say goodbye."),
            ends_at=it.clock() + timedelta(seconds=60),
        )
        await call.expect("response.done")
        assert (await watching.done()).reason == "time limit"
        await hung_up(it, call)


async def test_a_connection_lost_during_the_goodbye_is_dialled_again() -> None:
    async with observed_calls(text_delta_seconds=0.05) as it:
        call = await it.call()
        gate = Gate(it.connect)
        watching = await it.watch(
            call,
            replace(QUICK, goodbye_ahead=timedelta(seconds=60)),
            parts={"connect": gate, "hang_up": lambda: it.hang_up(call.id)},
            farewell=Farewell("Say goodbye."),
            ends_at=it.clock() + timedelta(seconds=60),
        )
        await call.expect("response.output_text.delta")
        await gate.cut()
        gate.open.set()
        observed = await watching.done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "time limit")
        said = [entry.kind for entry in it.transcript(call.id).entries]
        assert "gap" in said
        assert "message" in said, "the goodbye that was heard is in the record"


async def test_a_goodbye_is_heard_to_its_end() -> None:
    async with observed_calls(ahead_seconds=60) as it:
        call = await it.call(output_modalities=["audio"])
        was_heard, hung_up_after = False, []

        async def hang_up() -> None:
            # The page's own event of it may still be on its way.
            hung_up_after.append(was_heard)
            await it.hang_up(call.id)

        watching = await it.watch(
            call,
            replace(QUICK, goodbye_ahead=timedelta(seconds=60)),
            parts={"hang_up": hang_up},
            farewell=Farewell("Say goodbye."),
            ends_at=it.clock() + timedelta(seconds=60),
        )
        await call.expect("response.done")
        await it.written(call.id, lambda line: line.kind == "response")
        was_heard = True
        call.peer.playbacks[0].finish()
        await call.expect("output_audio_buffer.stopped")
        assert (await watching.done()).reason == "time limit"
        assert hung_up_after == [True]


async def test_an_answer_that_goes_on_for_too_long_is_cut_and_a_goodbye_too() -> None:
    """The emulator stalls in the answer to these words."""
    stalling = {"words": ["stall"], "say": "Never said.", "stall_seconds": 60}
    async with observed_calls(rules=[stalling]) as it:
        call = await it.call()

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(
            call,
            replace(QUICK, goodbye_ahead=timedelta(seconds=60) - timedelta(seconds=1)),
            parts={"hang_up": hang_up},
            farewell=Farewell(
                "Say goodbye.",
                finish_within=timedelta(milliseconds=50),
                timeout=timedelta(milliseconds=300),
            ),
            ends_at=it.clock() + timedelta(seconds=60),
        )
        await call.say("stall")
        await call.tell("response.create")
        cancelled = await call.expect("response.done")
        assert cancelled["response"]["status"] == "cancelled"
        assert (await watching.done()).reason == "time limit"


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_failed_hang_up_is_retried_and_then_left_to_the_limit(
    failures: int,
) -> None:
    left, given_up = [failures], asyncio.Event()

    async def spend(_: Tally) -> bool:
        return True

    async with observed_calls() as it:
        call = await it.call()

        async def hang_up() -> None:
            if left[0]:
                left[0] -= 1
                if not left[0]:
                    given_up.set()
                raise Problem("upstream_timeout")
            await it.hang_up(call.id)

        parts = {"spend": spend, "hang_up": hang_up}
        farewell = Farewell(hang_up_pause=timedelta(milliseconds=5))
        watching = await it.watch(call, parts=parts, farewell=farewell)
        await call.turn("one")
        if failures == 3:
            await given_up.wait()
            await call.turn("the call goes on, and the next answer is one too many again")
        assert (await watching.done()).reason == "token budget"


class SilentSideband(ScriptedSideband):
    """Says nothing any more after its events, not even in answer to a close."""

    async def close(self) -> None:
        self.events.put_nowait(1006)


async def test_what_a_silent_connection_has_missed_at_the_end_is_stated() -> None:
    usage = {"total_tokens": 10, "input_tokens": 6, "output_tokens": 4}
    response = {"id": "resp_1", "status": "completed", "output": [], "usage": usage}
    sideband = SilentSideband({"type": "response.done", "response": response})

    async def connect(call_id: str) -> ScriptedSideband:
        return sideband

    async def spend(_: Tally) -> bool:
        return True

    async def hang_up() -> str:
        return "hang-up"

    async with observed_calls() as it:
        before = it.clock()
        timing = replace(QUICK, shutdown=timedelta(milliseconds=300))
        parts = {"connect": connect, "spend": spend, "hang_up": hang_up}
        observed = await it.begin("rtc_1", timing, parts=parts).done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "token budget")
        (gap,) = (each for each in it.transcript("rtc_1").entries if each.reason == "reconnected")
        assert gap.since is not None
        assert gap.until is not None
        assert before - MILLISECOND <= gap.since < gap.until
