"""Tools that run on the server, and what happens to their results."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from shared.observer.context import Tally
from shared.tools.registry import Registry
from shared.tools.samples import sample_tools
from tests.contract.observer.harness import Gate, observed_calls
from tests.contract.observer.sessions import ORDER, SESSION, call_with, with_tools
from tests.support.patience import PATIENCE


async def test_a_tool_runs_on_the_server_and_its_result_is_said() -> None:
    registry = sample_tools()
    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        await call.turn("where is my order")
        done = await call.expect("response.done")
        said = done["response"]["output"][0]["content"][0]["text"]
        assert "status on its way" in said
        await call.hang_up()
        await watching.done()
        kinds = [entry.kind for entry in it.transcript(call.id).entries]
        assert kinds == ["message", "tool_call", "tool_result", "message"]
        result = it.transcript(call.id).entries[2]
        assert json.loads(result.output)["status"] == "on its way"
        (line,) = [line for line in it.lines(call.id) if line.kind == "tool"]
        assert (line.fields["name"], line.fields["ok"]) == ("order_status", True)
        kinds = [e["type"] for e in call.events]
        asked = [i for i, kind in enumerate(kinds) if kind == "response.created"]
        assert "response.done" in kinds[asked[0] : asked[1]], "requested after the first was done"
        assert len(asked) == 2
        assert not [e for e in call.events if e["type"] == "error"]


async def test_a_tool_of_the_page_is_left_to_it() -> None:
    page_tool = {"type": "function", "name": "order_status_on_page"}
    session = {**SESSION, "tools": [page_tool]}
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, parts={"registry": sample_tools()}, session=session)
        done = await call.turn("where is my order")
        call_id = done["response"]["output"][0]["call_id"]
        output = {"type": "function_call_output", "call_id": call_id, "output": "late"}
        await call.tell("conversation.item.create", item=output)
        await call.tell("response.create")
        await call.expect("response.done")
        await call.hang_up()
        await watching.done()
        assert not [line for line in it.lines(call.id) if line.kind in ("calling", "tool")]
        outputs = [e for e in it.transcript(call.id).entries if e.kind == "tool_result"]
        assert [each.output for each in outputs] == ["late"]


async def test_a_page_cannot_give_itself_a_tool_of_the_servers() -> None:
    """The profile names none; the page adds one, and the model calls it before it is removed."""
    named = {"type": "function", "name": "order_status"}
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, SESSION)
        watching = await it.watch(call, parts={"registry": sample_tools()}, session=None)
        theirs = {"type": "realtime", "tools": [named]}
        await call.tell("session.update", session=theirs)
        done = await call.turn("where is my order")
        assert done["response"]["output"][0]["name"] == "order_status"
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        assert not [line for line in it.lines(call.id) if line.kind in ("calling", "tool")]


async def test_a_slow_tool_is_answered_in_words_and_the_caller_may_speak_meanwhile() -> None:
    registry, release = Registry(), asyncio.Event()

    @registry.tool
    async def order_status(order_number: str) -> str:
        """Says where an order is."""
        await release.wait()
        return "here at last"

    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        await call.turn("where is my order")
        await call.turn("are you there")
        release.set()
        done = await call.expect("response.done")
        assert "here at last" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await watching.done()


async def test_an_answer_that_is_under_way_when_the_output_comes_is_waited_for() -> None:
    """The caller's words and a tool's output come together: one response at a time."""
    registry, release = Registry(), asyncio.Event()

    @registry.tool
    async def order_status(order_number: str) -> str:
        """Says where an order is."""
        await release.wait()
        return "here"

    session = with_tools(registry)
    stalling = {"words": ["stall"], "say": "Stalled.", "stall_seconds": 0.3}
    async with observed_calls(rules=[stalling, ORDER]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        await call.turn("where is my order")
        await call.say("stall")
        await call.tell("response.create")
        await call.expect("response.created")
        release.set()
        texts = []
        for _ in range(2):
            done = await call.expect("response.done")
            texts.append(done["response"]["output"][0]["content"][0]["text"])
        assert texts[0] == "Stalled."
        assert "here" in texts[1]
        assert not [e for e in call.events if e["type"] == "error"]
        await call.hang_up()
        await watching.done()


async def test_an_output_that_could_not_be_sent_is_sent_over_the_next_connection() -> None:
    registry, release = Registry(), asyncio.Event()

    @registry.tool
    async def order_status(order_number: str) -> str:
        """Says where an order is."""
        await release.wait()
        return "here after all"

    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        gate = Gate(it.connect)
        parts = {"registry": registry, "connect": gate}
        watching = await it.watch(call, parts=parts, session=session)
        await call.turn("where is my order")
        await it.written(call.id, lambda line: line.kind == "calling")
        await gate.cut()
        release.set()
        await it.written(call.id, lambda line: line.kind == "tool")
        gate.open.set()
        done = await call.expect("response.done")
        assert "here after all" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await watching.done()


async def test_a_refused_output_does_not_silence_the_tools_of_the_call() -> None:
    """The service's error names no client event (recorded): the next output is answered."""
    registry = sample_tools()
    session = with_tools(registry)
    refusal = {
        "event": "conversation.item.create",
        "item": "function_call_output",
        "code": "invalid_tool_call_id",
        "message": "Tool call ID 'call_Xz0z4X8aSYDdkTf2' not found in conversation.",
        "anonymous": True,
        "times": 1,
    }
    async with observed_calls(rules=[ORDER], refusals=[refusal]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        await call.turn("where is my order")
        await call.expect("error")
        await call.turn("my order please")
        done = await call.expect("response.done")
        assert "on its way" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await watching.done()


async def test_nothing_is_done_to_a_call_while_the_lease_has_run_out() -> None:
    """Another run may be acting. What is said is still recorded."""
    registry, spent = sample_tools(), asyncio.Event()

    async def spend(_: Tally) -> bool:
        spent.set()
        return True

    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)

        async def hang_up() -> None:
            raise AssertionError("hung up without a lease")

        parts = {"registry": registry, "spend": spend, "hang_up": hang_up}
        watching = await it.watch(call, parts=parts, session=session)
        async with asyncio.timeout(PATIENCE):
            await it.leases.noted.wait()
        it.skip += timedelta(seconds=31)
        await call.turn("where is my order")
        await spent.wait()
        theirs = {"type": "realtime", "instructions": "Mine."}
        await call.tell("session.update", session=theirs)
        await call.turn("hello")
        await it.recorded(call.id, "hello")
        await call.hang_up()
        await watching.done()
        (state,) = (await it.state())["calls"]
        assert state["client_events"]["session.update"] == 2, (
            "the observer's check, the page's update"
        )
        assert not [line for line in it.lines(call.id) if line.kind in ("calling", "session")]


async def test_an_older_tool_call_is_not_run_and_the_model_may_repeat_it() -> None:
    """Nothing proves that the model made it: a page may add an item that looks the same."""
    registry = sample_tools()
    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        await call.turn("where is my order")
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        done = await call.expect("response.done")
        assert "not run" in done["response"]["output"][0]["content"][0]["text"]
        await call.turn("my order please")
        done = await call.expect("response.done")
        assert "on its way" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await watching.done()
        assert len([line for line in it.lines(call.id) if line.kind == "tool"]) == 1


async def test_a_tool_that_may_have_run_is_not_run_again() -> None:
    """Its observer died while it ran: the outcome is unknown, and the model is told so."""
    registry, runs = Registry(), [0]

    @registry.tool
    async def order_status(order_number: str) -> None:
        """Says where an order is."""
        runs[0] += 1
        await asyncio.Event().wait()

    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        first = await it.watch(call, parts={"registry": registry}, session=session)
        await call.turn("where is my order")
        await it.written(call.id, lambda line: line.kind == "calling")
        await it.kill(first)
        it.skip += timedelta(seconds=31)
        second = await it.watch(call, parts={"registry": registry}, session=session)
        done = await call.expect("response.done")
        assert "not known" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await second.done()
        assert runs == [1]
