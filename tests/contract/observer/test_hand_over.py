"""A process that is to stop hands its calls over: another run is connected before it lets go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from shared.core.stopping import Stopping
from shared.observer.context import Outcome
from shared.usage import tokens
from tests.contract.observer.harness import HELLO, ObservedCalls, observed_calls, timing_of

TIMING = timing_of(heir_polled=timedelta(milliseconds=10), overlap=timedelta(milliseconds=10))


async def begun_again(it: ObservedCalls, call_id: str, asked: asyncio.Event, **terms: Any) -> Any:
    """The run that another instance begins once it is asked to."""
    await asked.wait()
    return it.begin(call_id, TIMING, **terms)


class Stopped:
    """A process that can be told to stop, and its requests to others."""

    def __init__(self) -> None:
        self.stopping, self.asked = Stopping(), asyncio.Event()

    @property
    def parts(self) -> dict[str, Any]:
        async def pass_on() -> None:
            self.asked.set()

        return {"stopping": self.stopping, "pass_on": pass_on}


async def test_a_call_is_handed_over_without_a_gap() -> None:
    async with observed_calls() as it:
        call, one = await it.call(), Stopped()
        first = await it.watch(call, TIMING, one.parts)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        one.stopping.begin()
        second = await begun_again(it, call.id, one.asked)
        await call.turn("meanwhile")
        assert (await first.done()).outcome is Outcome.HANDED_OVER
        await it.attached(call.id, second.holder)
        held = it.leases.holder(call.id)
        assert held is not None
        assert held.holder == second.holder
        assert (held.offered_by, held.heir) == ("", "")
        await call.turn("good morning")
        await call.hang_up()
        observed = await second.done()
        script = it.transcript(call.id)
        assert [each.text or each.kind for each in script.entries] == [
            *("hello", HELLO, "meanwhile", "You said: meanwhile.", "good morning", HELLO),
        ]
        lines = it.raw(call.id)
        assert len({line["id"] for line in lines}) == len(lines)
        assert not [line for line in lines if line["kind"] in ("gap", "lost")]
        assert observed.usage == tokens.usage_of_response({"usage": (await it.state())["usage"]})
        sent = [each for each in call.events if each["type"] == "conversation.item.added"]
        assert len(sent) == 6, "no probe: the record has the latest item"
