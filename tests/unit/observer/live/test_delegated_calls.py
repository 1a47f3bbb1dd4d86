"""Functions that delegated work calls: each run once, all answered, and the work asked to go on
once; within what a session takes, whatever is lost on the way."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from shared.live.input_budget import REFUSED
from shared.observer.live import appends, delegated_calls, delegated_work
from shared.observer.live.appends import SORRY
from shared.observer.live.delegated_calls import UNKNOWN_OUTCOME
from shared.tools.registry import Registry
from tests.unit.observer.live.harness import RESPONSES, LiveRun, live_run

QUICK = timedelta(milliseconds=10)
LATER = 5 * QUICK


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegated_work, "QUIET", QUICK)
    monkeypatch.setattr(delegated_work, "ASK_AGAIN_AFTER", QUICK)
    monkeypatch.setattr(delegated_calls, "AFTER_REPLAY", QUICK)
    monkeypatch.setattr(appends, "AFTER_REPLAY", QUICK)


class Tools:
    """A registry whose function waits until it is told to go on."""

    def __init__(self, answer: Any = "on its way") -> None:
        self.registry = Registry()
        self.calls: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

        @self.registry.tool(timeout=timedelta(seconds=20))
        async def order_status(number: str = "") -> Any:
            """Says where an order is."""
            self.calls.append(number)
            await self.go.wait()
            return answer


def outputs(run: LiveRun) -> list[tuple[str, str]]:
    """The function outputs that were sent."""
    items = [each["item"] for each in run.connection.all if each["type"] == "response.item.create"]
    return [(item["call_id"], item["output"]) for item in items]


async def test_a_call_is_run_and_answered_and_the_work_goes_on() -> None:
    tools = Tools()
    async with live_run(RESPONSES, tools.registry) as run:
        run.begin()
        run.call("call_1", arguments='{"number": "1002"}')
        item = await run.sent("response.item.create")
        assert item["item"] == {
            "type": "function_call_output", "call_id": "call_1", "output": "on its way",
        }  # fmt: skip
        run.end()
        await run.sent("response.create")
        assert tools.calls == ["1002"]
        (calling,) = await run.lines("calling")
        (tool,) = await run.lines("tool")
        assert (calling.key, calling.fields["name"]) == ("call_1", "order_status")
        assert (tool.key, tool.fields["ok"]) == ("call_1", True)
        assert tool.fields["bytes"] > 50


async def test_the_work_goes_on_before_the_response_is_said_to_be_over() -> None:
    """As in the recorded round: nothing has come of the response for a moment."""
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        await run.sent("response.create")


async def test_all_parallel_calls_are_answered_before_the_work_goes_on_once() -> None:
    tools = Tools()
    async with live_run(RESPONSES, tools.registry) as run:
        run.begin()
        run.call("call_0")
        await run.sent("response.item.create")
        tools.go.clear()
        for number in (1, 2):
            run.call(f"call_{number}")
        run.end()
        await run.pass_time(LATER)
        assert run.kinds() == ["response.item.create"]
        tools.go.set()
        await run.sent("response.create")
        await run.pass_time(LATER)
        assert run.kinds() == [*["response.item.create"] * 3, "response.create"]


async def test_a_call_that_is_still_being_made_is_waited_for() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        added = {
            "type": "function_call",
            "id": "fc_call_2",
            "call_id": "call_2",
            "name": "order_status",
        }
        run.backend("response.output_item.added", item=added)
        await run.sent("response.item.create")
        await run.pass_time(LATER)
        assert "response.create" not in run.kinds()
        run.call("call_2")
        await run.sent("response.create")
        assert [call_id for call_id, _ in outputs(run)] == ["call_1", "call_2"]


async def test_only_a_complete_call_runs_and_only_once() -> None:
    tools = Tools()
    async with live_run(RESPONSES, tools.registry) as run:
        item = {
            "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "order_status",
            "arguments": '{"number": "7"}',
        }  # fmt: skip
        run.backend("response.output_item.done", item={**item, "status": "incomplete"})
        run.backend("response.function_call_arguments.done", item_id="fc_1", arguments="{}")
        await run.settled()
        assert tools.calls == []
        for _ in range(3):
            run.backend("response.output_item.done", item={**item, "status": "completed"})
        await run.sent("response.create")
        assert tools.calls == ["7"]
        assert len(outputs(run)) == 1


@pytest.mark.parametrize("name", ["unknown", "page_map", "current_time"])
async def test_a_function_that_nobody_runs_is_answered(name: str) -> None:
    """One that the profile does not grant too: a page may have added it."""
    tools = Tools()

    @tools.registry.tool
    def current_time() -> str:
        """Tells the time."""
        raise AssertionError

    async with live_run(RESPONSES, tools.registry) as run:
        run.call("call_1", name)
        await run.sent("response.create")
        assert "error" in json.loads(outputs(run)[0][1])
        steered = [each.fields["what"] for each in await run.lines("steered")]
        assert steered == ([] if name == "page_map" else ["tool not granted"])


async def test_a_function_of_the_pages_is_left_to_it() -> None:
    channel = {"allowed_client_events": ["response.item.create", "response.create"]}
    session = {**RESPONSES, "client": {"data_channel": channel}}
    tools = Tools()
    async with live_run(session, tools.registry) as run:
        run.call("call_1", "page_map")
        run.call("call_2", "order_status")
        await run.sent("response.create")
        assert [call_id for call_id, _ in outputs(run)] == ["call_2"]


@pytest.mark.parametrize("arguments", ["{", '{"nobody": 1}', "[" * 1200, '"' + "x" * 40_000 + '"'])
async def test_a_call_that_cannot_be_run_is_answered(arguments: str) -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.call("call_1", arguments=arguments)
        await run.sent("response.create")
        assert "error" in outputs(run)[0][1]


async def test_a_function_that_takes_too_long_or_raises_is_answered() -> None:
    registry = Registry()

    @registry.tool(timeout=timedelta(milliseconds=20))
    async def order_status() -> str:
        """Says where an order is."""
        await asyncio.sleep(60)
        return ""

    async with live_run(RESPONSES, registry) as run:
        run.call("call_1")
        await run.sent("response.create")
        assert "too long" in outputs(run)[0][1]
        assert [each.fields["ok"] for each in await run.lines("tool")] == [False]


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


async def test_without_the_lease_nothing_is_done() -> None:
    tools = Tools()
    async with live_run(RESPONSES, tools.registry) as run:
        run.lease.is_good = False
        run.call("call_1")
        await run.settled()
        assert (tools.calls, run.connection.all) == ([], [])


async def test_work_that_is_refused_is_asked_again_and_then_given_up() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        for _ in range(delegated_work.TRIES):
            asked = await run.sent("response.create")
            run.fail("function_call_outputs_required", caused_by=asked["event_id"])
        told = await run.sent("session.commentary.append")
        assert told["content"] == SORRY
        (failed,) = await run.lines("failed")
        assert failed.fields == {
            "what": "delegation_failed", "code": "function_call_outputs_required",
        }  # fmt: skip


@pytest.mark.parametrize("kind", ["failed", "incomplete"])
async def test_a_response_that_fails_is_told_to_the_caller(kind: str) -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.end(kind=kind, error={"code": "rate_limit_exceeded"})
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        (response,) = await run.lines("response")
        assert (response.fields["status"], response.fields["reason"]) == (
            kind,
            "rate_limit_exceeded",
        )
        counted = run.controller.meter.tally().failures
        assert counted == {f"response_{kind}": {"rate_limit_exceeded": 1}}


async def test_a_handoff_that_is_incomplete_is_told_to_the_caller() -> None:
    """The error has no code and names nothing."""
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.fail(None, "Responses handoff incomplete.")
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "delegation_failed", "code": "handoff_incomplete"}
        (error,) = await run.lines("error")
        assert error.fields["code"] == "handoff_incomplete"
        run.fail(None, "Responses handoff incomplete.")
        await run.settled()
        assert run.kinds().count("session.commentary.append") == 1, "not again at once"


def delegate(run: LiveRun, target: str = "responses", item: str = "item_1") -> None:
    about = {"id": item, "type": "delegation", "target": target}
    run.tell("session.delegation.created", offset_ms=0, delegation=about)


def fail_without_cause(run: LiveRun) -> None:
    error = {"type": "server_error", "code": None, "message": "The model does not exist."}
    run.tell("error", error=error)


async def failures(run: LiveRun) -> list[Any]:
    return [each.fields for each in await run.lines("failed")]


async def test_an_error_before_delegated_work_begins_is_told_to_the_caller() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run)
        fail_without_cause(run)
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        fail_without_cause(run)
        codes = [each["what"] for each in await failures(run)]
        assert codes == ["delegation_failed", "endpoint_error"], "the work is over"


@pytest.mark.parametrize("word", ["begun", "page", "known", "client"])
async def test_other_errors_are_not_of_delegated_work(word: str) -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run, "client" if word == "client" else "responses")
        if word == "begun":
            run.begin()
        if word == "page":
            run.fail("unknown_parameter")
        elif word == "known":
            run.fail(None, "Unknown client delegation.")
        else:
            fail_without_cause(run)
        await run.settled()
        assert all(each["what"] != "delegation_failed" for each in await failures(run))
        if word != "client":
            assert "session.commentary.append" not in run.kinds()


@pytest.mark.parametrize("begins", [True, False])
async def test_delegated_work_of_which_nothing_comes_is_told_to_the_caller(
    monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    monkeypatch.setattr(delegated_work, "BEGINS_WITHIN", timedelta(milliseconds=20))
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run)
        if begins:
            run.begin()
            await run.pass_time(LATER)
            await run.settled()
            assert await failures(run) == []
        else:
            assert (await run.sent("session.commentary.append"))["content"] == SORRY
            assert await failures(run) == [{"what": "delegation_failed", "code": "not begun"}]


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


async def test_the_record_has_the_call_and_its_output_as_entries() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.say("Where is my order?", 0)
        run.tell(
            "session.delegation.created",
            offset_ms=0,
            delegation={"id": "item_1", "type": "delegation", "target": "responses"},
        )
        run.call("call_1", arguments='{"number": "1002"}')
        await run.sent("response.create")
        entries = [
            (each.kind, each.name, each.call_id, each.output or each.arguments or each.text)
            for each in (await run.transcript()).entries
        ]
        assert sorted(entries) == [
            ("delegation", "responses", "item_1", None),
            ("message", "", "", "Where is my order?"),
            ("tool_call", "order_status", "call_1", '{"number": "1002"}'),
            ("tool_result", "", "call_1", "on its way"),
        ]
