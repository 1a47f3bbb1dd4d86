"""Functions that delegated work calls, whatever is lost on the way: the connection, the run or the
record."""

from __future__ import annotations

import pytest

from shared.observer.live import delegated_work
from shared.observer.tool_results import UNKNOWN_OUTCOME
from tests.unit.observer.live.delegations import LATER, QUICK, Tools, outputs
from tests.unit.observer.live.harness import RESPONSES, live_run

pytestmark = pytest.mark.usefixtures("quick")


async def test_what_a_lost_connection_did_not_take_is_sent_over_the_next() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.connection.lost = True
        run.call("call_1")
        await run.quiet()
        assert await run.lines("tool") == [], "it is not answered yet"
        run.connection.lost = False
        run.controller.reconnected()
        await run.sent("response.create")
        assert [call_id for call_id, _ in outputs(run)] == ["call_1"]
        assert len(await run.lines("tool")) == 1


async def test_an_output_that_may_have_been_lost_is_sent_again() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        await run.sent("response.create")
        run.controller.reconnected()
        await run.sent("response.item.create")
        await run.sent("response.create")
        assert [call_id for call_id, _ in outputs(run)] == ["call_1", "call_1"]
        assert len(await run.lines("tool")) == 1


async def test_nothing_is_sent_again_of_work_that_went_on_meanwhile() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        await run.sent("response.create")
        run.controller.reconnected()
        run.begin("resp_2")
        await run.pass_time(LATER)
        assert run.kinds() == ["response.item.create", "response.create"]


async def test_a_run_that_takes_over_runs_nothing_twice() -> None:
    tools = Tools()
    tools.go.clear()
    async with live_run(RESPONSES, tools.registry) as first:
        first.begin()
        first.call("call_1")
        await first.settled()
        await first.record()
        first.lease.is_good = False
    async with live_run(RESPONSES, tools.registry, log=first.log, holder="run-2") as second:
        second.call("call_1")
        await second.controller.answer_abandoned()
        await second.sent("response.create")
        assert outputs(second) == [("call_1", UNKNOWN_OUTCOME)]
        assert len(tools.calls) == 1
    async with live_run(RESPONSES, tools.registry, log=first.log, holder="run-3") as third:
        await second.record()
    async with live_run(RESPONSES, tools.registry, log=first.log, holder="run-4") as third:
        await third.controller.answer_abandoned()
        await third.pass_time(LATER)
        assert third.connection.all == []


async def test_a_run_that_takes_over_has_answered_work_go_on() -> None:
    """The output was sent, and the run died before it asked the work to go on."""
    async with live_run(RESPONSES, Tools().registry) as first:
        first.begin()
        first.call("call_1")
        await first.sent("response.item.create")
        await first.record()
    async with live_run(RESPONSES, Tools().registry, log=first.log, holder="run-2") as second:
        await second.controller.answer_abandoned()
        await second.sent("response.create")
        assert outputs(second) == []


@pytest.mark.parametrize("comes", [True, False])
async def test_work_of_which_nothing_comes_after_a_loss_is_told_to_the_model(
    comes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have called a function while nobody was connected."""
    monkeypatch.setattr(delegated_work, "LOST_AFTER", QUICK)
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.controller.reconnected()
        if comes:
            run.backend("response.output_text.delta", delta="It")
        else:
            await run.sent("session.thinking.append")
        await run.pass_time(LATER)
        codes = [each.fields["code"] for each in await run.lines("failed")]
        assert codes == ([] if comes else ["lost"])
        assert len(run.connection.all) == (0 if comes else 1)


async def test_work_that_was_under_way_is_looked_for_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delegated_work, "LOST_AFTER", QUICK)
    delegation = {"id": "item_1", "type": "delegation", "target": "responses"}
    async with live_run(RESPONSES, Tools().registry) as first:
        first.tell("session.delegation.created", offset_ms=0, delegation=delegation)
        await first.record()
    async with live_run(RESPONSES, Tools().registry, log=first.log, holder="run-2") as second:
        await second.controller.answer_abandoned()
        await second.sent("session.thinking.append")
        second.begin()
        second.end()
        await second.record()
    async with live_run(RESPONSES, Tools().registry, log=first.log, holder="run-3") as third:
        await third.controller.answer_abandoned()
        await third.pass_time(LATER)
        assert third.connection.all == []


async def test_a_deleted_record_is_begun_again_with_what_was_done() -> None:
    async with live_run(RESPONSES, Tools().registry) as first:
        first.begin()
        first.call("call_1")
        await first.sent("response.create")
        first.end()
        await first.record()
        carried = first.controller.lines_to_carry_over()
        first.log.delete("live_u0_test.jsonl")
        first.context.recorder.add_line("attached", "again", {})
        await first.record()
        assert {line.kind for line in carried} >= {"tool", "continued", "response", "usage"}
    tools = Tools()
    async with live_run(RESPONSES, tools.registry, log=first.log, holder="run-2") as second:
        second.call("call_1")
        await second.controller.answer_abandoned()
        await second.pass_time(LATER)
        assert (tools.calls, second.connection.all) == ([], [])
        usage = second.controller.meter.tally().usage
        assert usage.tokens.text_in == 800
