"""Appends and delegation in a GPT-Live session."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BACKEND, LOOK_UP, Live, live_session

LADDER = [
    "session.delegation.created",
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


async def give_output(it: Live, call_id: str, output: str = "Foggy.") -> None:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    await it.tell("response.item.create", item=item)


async def called(it: Live) -> dict[str, Any]:
    """The next function call that is complete."""
    while True:
        item: dict[str, Any] = (await it.sideband.nested("response.output_item.done"))["item"]
        if item["type"] == "function_call":
            return item


def say(word: str, **rule: Any) -> dict[str, Any]:
    return {"rules": [{"words": [word], **rule}]}


async def test_a_whole_tool_round() -> None:
    async with live_session(delegation=BACKEND) as it:
        await it.hear(LOOK_UP)
        created = await it.expect("session.delegation.created")
        assert list(created["delegation"]) == ["id", "type", "response_id", "target"]
        assert created["delegation"]["target"] == "responses"
        assert created["offset_ms"] % 200 == 0
        call = await called(it)
        assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"London"}')
        assert (call["status"], len(call["call_id"])) == ("completed", len("call_") + 24)
        await give_output(it, call["call_id"], "14 degrees.")
        await it.tell("response.create")
        first = await it.sideband.nested("response.completed")
        second = await it.sideband.nested("response.completed")
        assert first["response"]["id"] == created["delegation"]["response_id"]
        assert second["response"]["previous_response_id"] == first["response"]["id"]
        for done in (first, second):
            snapshot = done["response"]
            assert (snapshot["instructions"], snapshot["tools"], snapshot["output"]) == (
                None,
                [],
                [],
            )
            assert snapshot["usage"]["total_tokens"] > 0
        await it.until_said("The tool says: 14 degrees.")
        ladder = [k for k in it.sideband.kinds() if "transcript" not in k]
        folded = [k for n, k in enumerate(ladder) if n == 0 or ladder[n - 1] != k]
        assert folded[1:] == LADDER
        nested = [e for e in it.sideband.events if e["type"] == "response.event"]
        assert {e["delegation_id"] for e in nested} == {created["delegation"]["id"]}
        numbers = [e["event"]["sequence_number"] for e in nested]
        border = numbers.index(0, 1)
        assert numbers == [*range(border), *range(len(numbers) - border)]
        deltas = [e["event"] for e in nested if "obfuscation" in e["event"]]
        assert all(len(d["delta"] + d["obfuscation"]) % 16 == 0 for d in deltas)


async def test_a_create_before_the_outputs_is_refused_and_the_item_stays() -> None:
    async with live_session(delegation=BACKEND) as it:
        await it.hear("what is the time")
        call = await called(it)
        assert call["name"] == "get_time"
        await it.tell("response.create", event_id="early")
        error = await it.refusal()
        assert error["code"] == "function_call_outputs_required"
        assert error["client_event_id"] == "early"
        for _ in range(2):
            await give_output(it, call["call_id"], "Noon.")
        await it.tell("response.create")
        await it.until_said("The tool says: Noon.")
        await give_output(it, call["call_id"], "Again.")
        await it.tell("session.update", session={})
        await it.expect("session.updated")
        assert it.sideband.kinds().count("error") == 1, "a repeated output is accepted silently"


async def test_parallel_calls() -> None:
    calls = [{"tool": "weather"}, {"tool": "time"}]
    async with live_session(
        delegation=BACKEND, script=say("both", delegate={"calls": calls})
    ) as it:
        await it.hear("both please")
        first, second = await called(it), await called(it)
        assert (first["name"], second["name"]) == ("get_weather", "get_time")
        await give_output(it, first["call_id"], "Dry.")
        await it.tell("response.create")
        assert (await it.refusal())["code"] == "function_call_outputs_required"
        await give_output(it, second["call_id"], "Noon.")
        await it.tell("response.create")
        await it.until_said("The tool says: Dry., and Noon.")


async def test_one_task_at_a_time() -> None:
    async with live_session(delegation=BACKEND) as it:
        await it.hear(LOOK_UP)
        first = await called(it)
        await it.hear("what is the time")
        await give_output(it, first["call_id"])
        await it.tell("response.create")
        await it.expect("session.delegation.created")
        ladder = [k for k in it.sideband.kinds() if k.startswith(("response.", "session.dele"))]
        assert ladder[-2:] == ["response.completed", "session.delegation.created"]
        assert (await called(it))["name"] == "get_time"


async def test_a_written_turn() -> None:
    async with live_session(delegation=BACKEND) as it:
        content = [{"type": "input_text", "text": "what is the weather"}]
        item = {"type": "message", "role": "user", "content": content}
        await it.tell("response.item.create", item=item)
        await it.tell("response.create", event_id="mine")
        created = await it.expect("session.delegation.created")
        assert created["client_event_id"] == "mine"
        assert (await called(it))["name"] == "get_weather"


async def test_work_without_a_function() -> None:
    backend = {"type": "responses", "responses": {"model": "gpt-5.6-sol"}}
    async with live_session(delegation=backend) as it:
        await it.hear(LOOK_UP)
        await it.until_said(f"I looked it up: {LOOK_UP}.")
        assert "response.function_call_arguments.done" not in it.sideband.kinds()


async def test_a_backend_that_is_not_there() -> None:
    async with live_session(delegation=BACKEND, live={"backends": ["gpt-5"]}) as it:
        await it.hear(LOOK_UP)
        assert "gpt-5.6-sol" in (await it.refusal())["message"]
        await it.hear("hello")
        await it.until_said("Hello! How can I help you today?")


async def test_work_that_fails() -> None:
    failing = say("break", delegate={"fail": "Responses handoff incomplete."})
    async with live_session(delegation=BACKEND, script=failing) as it:
        await it.hear("break it")
        error = await it.refusal()
        assert (error["code"], error["message"]) == (None, "Responses handoff incomplete.")


async def test_an_answer_longer_than_it_may_be() -> None:
    backend = {"type": "responses", "responses": {"model": "m", "max_output_tokens": 16}}
    long = say("much", delegate={"answer": "word " * 40})
    async with live_session(delegation=backend, script=long) as it:
        await it.hear("say much")
        incomplete = await it.sideband.nested("response.incomplete")
        details = incomplete["response"]["incomplete_details"]
        assert details == {"reason": "max_output_tokens"}
        assert (await it.refusal())["message"] == "Responses handoff incomplete."


@pytest.mark.parametrize(("size", "number"), [(1, 128), (8_000, 4)])
async def test_the_buffer_is_never_emptied(size: int, number: int) -> None:
    content = [{"type": "input_text", "text": "x" * size}]
    item = {"type": "message", "role": "user", "content": content}
    async with live_session(delegation=BACKEND) as it:
        for _ in range(number):
            await it.tell("response.item.create", item=item)
        await it.tell("response.item.create", item=item)
        error = await it.refusal()
        assert (error["code"], error["param"]) == ("response_input_buffer_full", "item")
        assert error["message"] == (
            "Backend response input history is limited to 128 items and 32768 UTF-8 bytes "
            "per session."
        )
        assert it.sideband.kinds().count("error") == 1


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_client_delegation(provider: Provider) -> None:
    async with live_session(provider, live={"stalling_seconds": 0.05}) as it:
        await it.hear(LOOK_UP)
        created = await it.expect("session.delegation.created")
        delegation = created["delegation"]
        assert delegation == {"id": delegation["id"], "type": "delegation", "target": "client"}
        words = [e for e in it.sideband.events if e["type"] == "session.input_transcript.delta"]
        assert "".join(e["delta"] for e in words) == LOOK_UP, "the words come before"
        await it.until_said("Okay, let me check.")
        await it.until_said("I am still checking.")
        await it.tell(
            "session.commentary.append", content="It rains.", delegation_id=delegation["id"]
        )
        appended = await it.expect("session.commentary.appended")
        assert appended["start_ms"] <= appended["end_ms"]
        await it.until_said("I have checked: It rains.")
        stalled = it.media.spoken.count("I am still checking.")
        await it.hear("hello")
        await it.until_said("Hello! How can I help you today?")
        assert it.media.spoken.count("I am still checking.") == stalled


async def test_an_append_cancels_the_acknowledgement() -> None:
    slow = {"type": "client", "acknowledgement_delay_ms": 60_000}
    async with live_session(delegation=slow) as it:
        await it.hear(LOOK_UP)
        delegation = (await it.expect("session.delegation.created"))["delegation"]
        await it.tell(
            "session.thinking.append", content="It rains.", delegation_id=delegation["id"]
        )
        await it.expect("session.thinking.appended")
        assert it.media.spoken == [], "thinking is silent"


async def test_appends() -> None:
    async with live_session() as it:
        said = "Tell the user their package arrives on Friday."
        await it.tell("session.commentary.append", content=said, delegation_id=None, event_id="c")
        appended = await it.expect("session.commentary.appended")
        assert appended["client_event_id"] == "c"
        assert it.media.sayings == [
            ("I have checked: their package arrives on Friday.", "commentary")
        ]
        greet = "Greet the caller now."
        await it.tell("session.instructions.append", content=greet, delegation_id=None)
        await it.expect("session.instructions.appended")
        assert it.media.spoken[-1].startswith("Hello! This is the emulator.")
        goodbye = "The call has to end: say goodbye."
        await it.tell("session.instructions.append", content=goodbye, delegation_id=None)
        await it.expect("session.instructions.appended")
        assert it.media.spoken[-1] == "Goodbye! It was good to talk to you."


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"content": "x"}, "missing_required_parameter", "delegation_id"),
        ({"delegation_id": None}, "missing_required_parameter", "content"),
        ({"content": 3, "delegation_id": None}, "invalid_value", "content"),
        ({"content": "word " * 501, "delegation_id": None}, "invalid_value", "content"),
        ({"content": "x", "delegation_id": "item_unknown"}, None, "delegation_id"),
    ],
)
async def test_appends_that_are_refused(
    fields: dict[str, Any], code: str | None, param: str
) -> None:
    async with live_session(delegation=BACKEND) as it:
        await it.tell("session.commentary.append", **fields)
        error = await it.refusal()
        assert (error["code"], error["param"]) == (code, param)
        if code is None:
            assert error["message"] == "Unknown client delegation."
        if fields.get("content", "") == "word " * 501:
            assert error["message"] == "Context append text must not exceed 500 tokens."
        assert it.media.sayings == []


async def test_five_hundred_tokens_pass() -> None:
    async with live_session() as it:
        await it.tell("session.thinking.append", content=" word" * 500, delegation_id=None)
        await it.expect("session.thinking.appended")


async def test_words_that_nobody_said() -> None:
    async with live_session(live={"phantom_words": "a phantom"}) as it:
        await it.tell("session.thinking.append", content="x", delegation_id=None)
        assert (await it.expect("session.input_transcript.delta"))["delta"] == "a phantom"


async def test_a_muted_caller_and_a_backchannel_get_no_reply() -> None:
    async with live_session() as it:
        await it.tell("session.input_audio.mute")
        await it.expect("session.input_audio.muted")
        await it.hear("hello")
        await it.tell("session.update", session={})
        await it.expect("session.updated")
        assert it.media.spoken == []


async def test_nothing_of_realtime_is_sent() -> None:
    """What must not exist: turns, items, responses and rate limits of the voice."""
    async with live_session(delegation=BACKEND) as it:
        await it.hear(LOOK_UP)
        call = await called(it)
        await give_output(it, call["call_id"])
        await it.tell("response.create")
        await it.until_said("The tool says: Foggy.")
        await it.tell("session.close")
        await it.expect("session.closed")
        kinds = {event["type"] for event in it.sideband.events}
        assert kinds <= {
            "session.started",
            "session.input_transcript.delta",
            "session.output_transcript.delta",
            "session.delegation.created",
            "session.usage.updated",
            "session.closed",
            "response.event",
        }
        text = json.dumps(it.sideband.events)
        for name in ("speech_started", "rate_limits", "transcript.done", "output_audio.done"):
            assert name not in text
