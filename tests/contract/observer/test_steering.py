"""What the server does to a running call: tools, the profile, the budget, the goodbye."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.guard import AT_MOST
from shared.problems import Problem
from shared.steering import Farewell
from shared.tools import Registry
from shared.tools_sample import sample_tools
from shared.usage import Usage
from shared.watched import Outcome
from tests.contract.observer.desk import QUICK, TEXT, Call, Desk, Gate, desk

ORDER = {
    "words": ["order"],
    "call": {"tool": "order_status", "arguments": {"order_number": "1002"}},
}
SESSION = {"type": "realtime", "instructions": "Be brief.", "tools": [], **TEXT}


def with_tools(registry: Registry) -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in registry.tools]
    return registry.completed({**SESSION, "tools": tools})


async def call_with(it: Desk, session: dict[str, Any]) -> Call:
    return await it.call(**{name: value for name, value in session.items() if name != "type"})


async def hung_up(it: Desk, call: Call) -> None:
    while (await call.socket.receive(timeout=10)).type.name == "TEXT":
        pass
    assert (await it.state())["live_calls"] == 0


async def test_a_tool_runs_on_the_server_and_its_result_is_said() -> None:
    registry = sample_tools()
    session = with_tools(registry)
    async with desk(rules=[ORDER]) as it:
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
        assert "response.done" in kinds[asked[0] : asked[1]], "asked for after the first was done"
        assert len(asked) == 2
        assert not [e for e in call.events if e["type"] == "error"]


async def test_a_tool_that_is_not_ours_is_left_to_the_page() -> None:
    page_tool = {"type": "function", "name": "order_status_on_page"}
    session = {**SESSION, "tools": [page_tool]}
    async with desk(rules=[ORDER]) as it:
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
    """The profile names none; the page adds one, and the model calls it before it is put back."""
    named = {"type": "function", "name": "order_status"}
    async with desk(rules=[ORDER]) as it:
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
    async with desk(rules=[ORDER]) as it:
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
    async with desk(rules=[stalling, ORDER]) as it:
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
    async with desk(rules=[ORDER]) as it:
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


async def test_nothing_is_done_to_a_call_while_the_lease_has_run_out() -> None:
    """Another may be doing it. What is said is still taken down."""
    registry, spent = sample_tools(), asyncio.Event()

    async def spend(usage: Usage) -> bool:
        spent.set()
        return True

    session = with_tools(registry)
    async with desk(rules=[ORDER]) as it:
        call = await call_with(it, session)

        async def hang_up() -> None:
            raise AssertionError("hung up without a lease")

        parts = {"registry": registry, "spend": spend, "hang_up": hang_up}
        watching = await it.watch(call, parts=parts, session=session)
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
        assert state["client_events"]["session.update"] == 2, "one look and the page's"
        assert not [line for line in it.lines(call.id) if line.kind in ("calling", "session")]


async def test_a_tool_call_from_before_the_observer_came_is_run() -> None:
    registry = sample_tools()
    session = with_tools(registry)
    async with desk(rules=[ORDER]) as it:
        call = await call_with(it, session)
        await call.turn("where is my order")
        watching = await it.watch(call, parts={"registry": registry}, session=session)
        done = await call.expect("response.done")
        assert "on its way" in done["response"]["output"][0]["content"][0]["text"]
        await call.hang_up()
        await watching.done()


async def test_a_tool_that_may_have_run_is_not_run_again() -> None:
    """Its observer died while it ran: nobody knows what came of it, and the model is told so."""
    registry, runs = Registry(), [0]

    @registry.tool
    async def order_status(order_number: str) -> None:
        """Says where an order is."""
        runs[0] += 1
        await asyncio.Event().wait()

    session = with_tools(registry)
    async with desk(rules=[ORDER]) as it:
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


async def test_what_a_page_overrides_is_put_back() -> None:
    session = with_tools(sample_tools())
    async with desk() as it:
        call = await call_with(it, session)
        watching = await it.watch(call, session=session)
        await call.expect("session.updated")
        theirs = {
            "type": "realtime",
            "instructions": "Swear a lot.",
            "tools": [],
            "audio": {"output": {"speed": 1.2}},
        }
        await call.tell("session.update", session=theirs)
        assert (await call.expect("session.updated"))["session"]["instructions"] == "Swear a lot."
        restored = (await call.expect("session.updated"))["session"]
        assert restored["instructions"] == "Be brief."
        assert [tool["name"] for tool in restored["tools"]] == ["current_time", "order_status"]
        assert restored["audio"]["output"]["speed"] == 1.2, "the rest is the page's"
        line = await it.written(call.id, lambda line: line.kind == "session")
        assert line.fields == {"overridden": ["instructions", "tools"], "put_back": True}
        assert "Swear" not in str(it.raw(call.id))
        await call.hang_up()
        await watching.done()


async def test_what_was_overridden_before_the_observer_came_is_put_back() -> None:
    async with desk() as it:
        call = await call_with(it, SESSION)
        tool = {"type": "function", "name": "page_tool"}
        await call.tell("session.update", session={"type": "realtime", "tools": [tool]})
        await call.expect("session.updated")
        watching = await it.watch(call, session=SESSION)
        await call.expect("session.updated")
        assert (await call.expect("session.updated"))["session"]["tools"] == []
        await call.hang_up()
        await watching.done()


async def test_two_that_assert_against_each_other_do_not_go_on_for_ever() -> None:
    async with desk() as it:
        call = await call_with(it, SESSION)
        watching = await it.watch(call, session=SESSION)
        await call.expect("session.updated")
        theirs = {"type": "realtime", "instructions": "Mine."}
        for _ in range(AT_MOST):
            await call.tell("session.update", session=theirs)
            assert (await call.expect("session.updated"))["session"]["instructions"] == "Mine."
            assert (await call.expect("session.updated"))["session"]["instructions"] == "Be brief."
        await call.tell("session.update", session=theirs)
        await it.written(call.id, lambda line: line.fields.get("put_back") is False)
        await call.hang_up()
        await watching.done()
        (state,) = (await it.state())["calls"]
        looks = 1
        assert state["client_events"]["session.update"] == looks + 2 * AT_MOST + 1


async def test_a_call_over_its_budget_hears_why_and_ends() -> None:
    spent: list[int] = []

    async def spend(usage: Usage) -> bool:
        spent.append(usage.total)
        return len(spent) >= 2

    farewell = Farewell("Say that the day's tokens are used up.")
    rules = [{"words": ["tokens"], "say": "no"}]
    async with desk(rules=rules) as it:
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
        assert spent == sorted(spent), "told since the start of the call"
        assert observed.usage.total > spent[1], "the goodbye is counted too"


async def test_without_words_it_is_hung_up_at_once() -> None:
    async def spend(usage: Usage) -> bool:
        return True

    async with desk() as it:
        call = await it.call()

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(call, parts={"spend": spend, "hang_up": hang_up})
        await call.turn("one")
        assert (await watching.done()).reason == "token budget"
        state = (await it.state())["calls"][0]
        assert state["events"]["response.created"] == 1


async def test_a_ledger_that_is_away_ends_no_call() -> None:
    async def spend(usage: Usage) -> bool:
        raise Problem("storage_unavailable")

    async with desk() as it:
        call = await it.call()
        watching = await it.watch(call, parts={"spend": spend})
        await call.turn("one")
        await call.turn("two")
        await call.hang_up()
        assert (await watching.done()).reason == "closed"


async def test_a_goodbye_ahead_of_the_hard_limit() -> None:
    async with desk() as it:
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
    async with desk(text_delta_seconds=0.05) as it:
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
        assert "message" in said, "the goodbye that was heard is on record"


async def test_a_goodbye_is_heard_to_its_end() -> None:
    async with desk(ahead_seconds=60) as it:
        call = await it.call(output_modalities=["audio"])
        hung_up_after: list[str] = []

        async def hang_up() -> None:
            hung_up_after.extend(event["type"] for event in call.events)
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
        call.peer.playbacks[0].finish()
        await call.expect("output_audio_buffer.stopped")
        assert (await watching.done()).reason == "time limit"
        assert hung_up_after[-1] == "output_audio_buffer.stopped"


async def test_an_answer_that_goes_on_for_too_long_is_cut_and_a_goodbye_too() -> None:
    """The emulator stalls at whatever answers these words."""
    stalling = {"words": ["stall"], "say": "Never said.", "stall_seconds": 60}
    async with desk(rules=[stalling]) as it:
        call = await it.call()

        async def hang_up() -> None:
            await it.hang_up(call.id)

        watching = await it.watch(
            call,
            replace(QUICK, goodbye_ahead=timedelta(seconds=60) - timedelta(milliseconds=300)),
            parts={"hang_up": hang_up},
            farewell=Farewell(
                "Say goodbye.",
                calm=timedelta(milliseconds=50),
                at_most=timedelta(milliseconds=300),
            ),
            ends_at=it.clock() + timedelta(seconds=60),
        )
        await call.say("stall")
        await call.tell("response.create")
        cancelled = await call.expect("response.done")
        assert cancelled["response"]["status"] == "cancelled"
        assert (await watching.done()).reason == "time limit"


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_hang_up_that_fails_is_tried_again_and_else_left_to_the_limit(
    failures: int,
) -> None:
    left, given_up = [failures], asyncio.Event()

    async def spend(usage: Usage) -> bool:
        return True

    async with desk() as it:
        call = await it.call()

        async def hang_up() -> None:
            if left[0]:
                left[0] -= 1
                if not left[0]:
                    given_up.set()
                raise Problem("upstream_timeout")
            await it.hang_up(call.id)

        parts = {"spend": spend, "hang_up": hang_up}
        farewell = Farewell(pause=timedelta(milliseconds=5))
        watching = await it.watch(call, parts=parts, farewell=farewell)
        await call.turn("one")
        if failures == 3:
            await given_up.wait()
            await call.turn("the call goes on, and the next answer is one too many again")
        assert (await watching.done()).reason == "token budget"
