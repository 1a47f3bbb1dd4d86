"""A process that is to stop hands its calls over: another run is connected before it lets go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.core.stopping import Stopping
from shared.observer.context import Farewell, Outcome
from shared.sideband.sideband import Connect, Sideband, SidebandUnavailable
from shared.tools.registry import Registry
from shared.usage import tokens
from tests.contract.observer.harness import (
    HELLO,
    Call,
    Gate,
    ObservedCalls,
    Watching,
    observed_calls,
    timing_of,
)
from tests.contract.observer.live_run import begin, following
from tests.contract.observer.live_service import CALL
from tests.contract.observer.sessions import ORDER, call_with, with_tools
from tests.support.patience import PATIENCE

TIMING = timing_of(
    heir_polled=timedelta(milliseconds=10),
    overlap=timedelta(milliseconds=100),
    handed_over_within=timedelta(seconds=PATIENCE),
)
SOON = timedelta(milliseconds=300)


@dataclass
class Stopped:
    """A process that can be told to stop. `asked`: it has asked others to follow its call."""

    stopping: Stopping = field(default_factory=Stopping)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def parts(self) -> dict[str, Any]:
        async def pass_on() -> None:
            self.asked.set()

        return {"stopping": self.stopping, "pass_on": pass_on}

    async def stop(self) -> None:
        self.stopping.begin()
        await self.asked.wait()


class Connected:
    """A `Connect` that tells when it has connected."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.done = asyncio.Event()

    async def __call__(self, call_id: str) -> Sideband:
        sideband = await self.connect(call_id)
        self.done.set()
        return sideband


async def taken_over(
    it: ObservedCalls,
    call: Call,
    one: Stopped,
    parts: dict[str, Any] | None = None,
    **terms: Any,
) -> Watching:
    """The run of another instance, once it is connected beside the one that stops."""
    await one.stop()
    connect = Connected(it.connect)
    second = it.begin(call.id, TIMING, {"connect": connect, **(parts or {})}, **terms)
    await connect.done.wait()
    return second


def kinds(it: ObservedCalls, call_id: str) -> list[str]:
    return [line.kind for line in it.lines(call_id)]


async def test_a_call_is_handed_over_without_a_gap() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        second = await taken_over(it, call, one)
        await call.turn("meanwhile")
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.attached(call.id, second.holder)
        held = it.leases.holder(call.id)
        assert held is not None
        assert (held.holder, held.offered_by, held.heir) == (second.holder, "", "")
        await call.turn("good morning")
        await call.hang_up()
        observed = await second.done()
        script = it.transcript(call.id)
        assert [each.text or each.kind for each in script.entries] == [
            *("hello", HELLO, "meanwhile", "You said: meanwhile.", "good morning", HELLO),
        ]
        lines = it.raw(call.id)
        assert len({line["id"] for line in lines}) == len(lines)
        assert not {"gap", "lost"} & {line["kind"] for line in lines}
        assert observed.usage == tokens.usage_of_response({"usage": (await it.state())["usage"]})
        added = [each for each in call.events if each["type"] == "conversation.item.added"]
        assert len(added) == 6, "no probe: the record has the latest item"


async def test_what_a_page_does_meanwhile_is_recorded_once() -> None:
    """Such a line has no key of its own that could show it to be there."""
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts, keep_words=False)
        second = await taken_over(it, call, one, keep_words=False)
        await call.say("of the page")
        await call.expect("conversation.item.done")
        await first.done()
        await it.attached(call.id, second.holder)
        await call.say("of the page")
        await call.expect("conversation.item.done")
        await call.hang_up()
        await second.done()
        steered = [line.fields["what"] for line in it.lines(call.id) if line.kind == "steered"]
        assert steered == ["item added", "item added"]


async def test_a_tool_that_runs_is_finished_first() -> None:
    registry, begun, release = Registry(), asyncio.Event(), asyncio.Event()

    @registry.tool
    async def order_status(order_number: str) -> str:
        """Says where an order is."""
        begun.set()
        await release.wait()
        return "here at last"

    session, one = with_tools(registry), Stopped()
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        parts = {"registry": registry, **one.parts}
        first = await it.watch(call, TIMING, parts, session=session)
        await call.turn("where is my order")
        await begun.wait()
        second = await taken_over(it, call, one, {"registry": registry})
        await asyncio.wait({first.task}, timeout=0.15)
        assert not first.task.done(), "it is needed"
        release.set()
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.attached(call.id, second.holder)
        await call.turn("hello")
        await call.hang_up()
        await second.done()
        results = [each for each in it.transcript(call.id).entries if each.kind == "tool_result"]
        assert [each.output for each in results] == ["here at last"]
        assert kinds(it, call.id).count("calling") == kinds(it, call.id).count("tool") == 1


async def test_a_call_that_nobody_takes_is_followed_until_the_process_ends() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        await one.stop()
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        first.task.cancel()
        await asyncio.gather(first.task, return_exceptions=True)
        assert it.leases.holder(call.id) is None, "the next run need not wait"
        second = await it.watch(call, TIMING)
        await call.hang_up()
        await second.done()


async def test_a_run_that_takes_over_and_dies_costs_its_lease() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        second = await taken_over(it, call, one)
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.attached(call.id, second.holder)
        await it.kill(second)
        assert (await it.begin(call.id).done()).outcome is Outcome.HELD
        it.skip += timedelta(seconds=31)
        third = await it.watch(call)
        await call.hang_up()
        await third.done()
        assert kinds(it, call.id).count("gap") == 1


async def test_a_call_whose_heir_came_to_nothing_is_offered_anew() -> None:
    """The run has waited for the lease for as long as it may: both processes are slow."""
    impatient = replace(TIMING, handed_over_within=timedelta(milliseconds=20))
    often = replace(TIMING, heir_polled=timedelta(milliseconds=200), offered_every=SOON)
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, often, one.parts)
        await one.stop()
        assert (await it.begin(call.id, impatient).done()).outcome is Outcome.HELD
        one.asked.clear()
        await one.asked.wait()
        assert not first.task.done()
        second = it.begin(call.id, TIMING)
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.attached(call.id, second.holder)
        await call.hang_up()
        await second.done()
        assert "gap" not in kinds(it, call.id)


@pytest.mark.parametrize("stays", [True, False], ids=["it stays away", "it comes back"])
async def test_a_run_that_cannot_connect_leaves_the_call_where_it_is(stays: bool) -> None:
    async def refuse(_: str) -> Sideband:
        raise SidebandUnavailable(403)

    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        await one.stop()
        second = it.begin(call.id, TIMING, {"connect": refuse})
        assert (await second.done()).outcome is Outcome.HELD
        assert not first.task.done()
        if not stays:
            third = await taken_over(it, call, one)
            assert (await first.done()).outcome is Outcome.HANDED_OVER
            await call.hang_up()
            await third.done()
            return
        await call.hang_up()
        assert (await first.done()).outcome is Outcome.ENDED


async def test_of_two_that_want_the_call_one_gets_it() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        others = [await taken_over(it, call, one) for _ in range(2)]
        await first.done()
        done, _ = await asyncio.wait(
            {each.task for each in others}, return_when=asyncio.FIRST_COMPLETED
        )
        (loser,) = done
        assert loser.result().outcome is Outcome.HELD
        await call.turn("hello")
        await call.hang_up()
        (winner,) = (each for each in others if each.task is not loser)
        assert (await winner.done()).outcome is Outcome.ENDED
        assert it.told(call.id) == [("user", "hello"), ("assistant", HELLO)]


async def test_what_was_lost_before_is_still_a_gap() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        gate = Gate(it.connect)
        first = await it.watch(call, TIMING, {"connect": gate, **one.parts})
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await gate.cut()
        await call.turn("nobody listens")
        second = await taken_over(it, call, one)
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.written(call.id, lambda line: line.kind == "gap")
        await call.hang_up()
        await second.done()
        assert "gap" in [each.kind for each in it.transcript(call.id).entries]


async def test_a_call_that_is_being_ended_is_not_handed_over() -> None:
    hung_up = asyncio.Event()

    def hang_up_of(it: ObservedCalls, call_id: str) -> Callable[[], Any]:
        async def hang_up() -> str:
            await it.hang_up(call_id)
            hung_up.set()
            return "200"

        return hang_up

    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        soon = it.clock() + timedelta(seconds=1.2)
        parts = {**one.parts, "hang_up": hang_up_of(it, call.id)}
        farewell = Farewell("Say goodbye.")
        first = await it.watch(call, TIMING, parts, ends_at=soon, farewell=farewell)
        await call.expect("response.created")
        one.stopping.begin()
        assert (await first.done()).outcome is Outcome.ENDED
        assert hung_up.is_set()
        assert not one.asked.is_set()


async def test_a_live_call_is_handed_over_without_a_gap() -> None:
    one = Stopped()
    async with following(TIMING, one.parts) as first:
        first.service.say("input", "What", " is", " the", " weather?")
        first.service.say("output", "Let", " me", " look.")
        await first.handled()
        await one.stop()
        dials = first.service.dials
        second = await begin(first.it, first.service, TIMING, waits=False)
        while first.service.dials == dials:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        first.service.at_ms += 6000
        first.service.say("input", "Thanks.")
        assert (await first.watching.done()).outcome is Outcome.HANDED_OVER
        await first.it.attached(CALL, second.watching.holder)
        second.service.say("output", "It", " rains.")
        second.service.close("close_requested")
        await second.watching.done()
        assert [text for _, text in second.said()] == [
            *("What is the weather?", "Let me look.", "Thanks.", "It rains."),
        ]
        lines = first.it.raw(CALL)
        assert len({line["id"] for line in lines}) == len(lines)
        assert not {"gap", "lost", "steered"} & {line["kind"] for line in lines}
