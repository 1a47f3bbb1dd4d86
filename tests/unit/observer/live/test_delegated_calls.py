"""Functions that delegated work calls: each run once, all answered, and the work asked to go on
once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from shared.tools.registry import Registry
from tests.unit.observer.live.delegations import LATER, Tools, outputs
from tests.unit.observer.live.harness import RESPONSES, live_run

pytestmark = pytest.mark.usefixtures("quick")


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


async def test_without_the_lease_nothing_is_done() -> None:
    tools = Tools()
    async with live_run(RESPONSES, tools.registry) as run:
        run.lease.is_good = False
        run.call("call_1")
        await run.settled()
        assert (tools.calls, run.connection.all) == ([], [])


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
