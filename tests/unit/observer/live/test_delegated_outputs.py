"""Outputs of functions, within what a session takes."""

from __future__ import annotations

import pytest

from shared.live.input_budget import REFUSED
from tests.unit.observer.live.delegations import Tools, outputs
from tests.unit.observer.live.harness import RESPONSES, live_run

pytestmark = pytest.mark.usefixtures("quick")


async def test_outputs_over_the_budget_are_refused_and_then_the_ability_ends() -> None:
    tools = Tools("x" * 16_000)
    async with live_run(RESPONSES, tools.registry) as run:
        for number in range(60):
            run.call(f"call_{number}")
            await run.quiet()
        sizes = [len(output) for _, output in outputs(run)]
        assert sum(sizes) < 32_768
        assert outputs(run)[-1][1] == REFUSED
        assert sizes[0] > 5_000
        (ended,) = await run.lines("tools ended")
        assert ended.fields == {"reason": "no room"}
        told = [
            each for each in run.connection.all if each["type"] == "session.instructions.append"
        ]
        assert len(told) == 1
        update = await run.sent("session.update")
        tools_left = update["session"]["delegation"]["responses"]["tools"]
        assert tools_left == []
        assert run.controller.meter.tally().failures == {
            "tools_ended": {"response_input_buffer_full": 1}
        }
        await run.record()
    async with live_run(RESPONSES, tools.registry, log=run.log, holder="run-2") as second:
        ran = len(tools.calls)
        second.call("call_99")
        await second.settled()
        assert (len(tools.calls), outputs(second)) == (ran, [])


async def test_the_budget_counts_what_earlier_runs_have_sent() -> None:
    tools = Tools("x" * 16_000)
    async with live_run(RESPONSES, tools.registry) as first:
        for number in range(3):
            first.call(f"call_{number}")
            await first.quiet()
        spent = first.controller.calls.outputs.budget.bytes
        await first.record()
    async with live_run(RESPONSES, tools.registry, log=first.log, holder="run-2") as second:
        budget = second.controller.calls.outputs.budget
        assert (budget.bytes, budget.items) == (spent, 3)


async def test_a_full_buffer_is_answered_by_a_short_refusal_first() -> None:
    """The page may have added items that nobody else knows of."""
    async with live_run(RESPONSES, Tools("y" * 900).registry) as run:
        run.call("call_1")
        sent = await run.sent("response.item.create")
        run.fail("response_input_buffer_full", caused_by=sent["event_id"])
        again = await run.sent("response.item.create")
        assert again["item"]["output"] == REFUSED
        run.fail("response_input_buffer_full", caused_by=again["event_id"])
        await run.sent("session.instructions.append")
        assert len(await run.lines("tools ended")) == 1
