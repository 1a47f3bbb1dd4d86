"""A page may begin any number of responses outside the conversation at once, and each is counted
only when it is done."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.observer.context import Farewell, Outcome
from shared.observer.realtime.controller import OUTSIDE_AT_ONCE
from shared.observer.realtime.goodbye import DISTURBED_AT_MOST
from tests.contract.observer.harness import Call, ObservedCalls, observed_calls

ASIDE = {"conversation": "none", "metadata": {"topic": "aside"}}
LONG = {"words": ["long"], "say": "one two three four five six seven eight nine ten"}


async def begin_asides(call: Call, count: int) -> None:
    for _ in range(count):
        await call.tell("response.create", response=ASIDE)
    for _ in range(count):
        while (await call.expect("response.created"))["response"]["conversation_id"] is not None:
            pass


def cancelled(it: ObservedCalls, call: Call) -> list[Any]:
    steered = [line for line in it.lines(call.id) if line.kind == "steered"]
    return [line for line in steered if line.fields.get("cancelled")]


async def ends(call: Call, count: int) -> list[str]:
    return [(await call.expect("response.done"))["response"]["status"] for _ in range(count)]


async def test_only_a_few_responses_outside_the_conversation_go_on_at_once() -> None:
    count, too_many = 100, 100 - OUTSIDE_AT_ONCE
    async with observed_calls(rules=[LONG], text_delta_seconds=30) as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.say("long")
        await begin_asides(call, count)
        assert await ends(call, too_many) == ["cancelled"] * too_many
        await it.written(call.id, lambda _: len(cancelled(it, call)) == too_many)
        await call.hang_up()
        result = await watching.done()
        assert result.usage.total > 0, "what was cancelled is counted"


async def test_at_the_end_of_the_budget_nothing_goes_on_outside_the_conversation() -> None:
    used_up = asyncio.Event()

    async def spend(_: Any) -> bool:
        used_up.set()
        return True

    async with observed_calls(rules=[LONG], text_delta_seconds=30) as it:
        call = await it.call()
        parts = {"spend": spend, "hang_up": lambda: it.hang_up(call.id)}
        watching = await it.watch(call, parts=parts, farewell=Farewell("Say goodbye."))
        await call.say("long")
        await begin_asides(call, OUTSIDE_AT_ONCE + 1)
        await used_up.wait()
        assert await ends(call, OUTSIDE_AT_ONCE + 1) == ["cancelled"] * (OUTSIDE_AT_ONCE + 1)
        await begin_asides(call, DISTURBED_AT_MOST + 1)
        observed = await watching.done()
        assert (observed.outcome, observed.reason) == (Outcome.ENDED, "token budget")
        assert len(cancelled(it, call)) == 1 + DISTURBED_AT_MOST + 1
