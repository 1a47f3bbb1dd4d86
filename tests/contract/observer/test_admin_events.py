"""An admin sends one client event to a running call: what is allowed, and what answers it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from openai.types.realtime.realtime_response_create_params_with_references_param import (
    RealtimeResponseCreateParamsWithReferencesParam,
)
from pydantic import TypeAdapter

from realtime_emulator.call.client_events import CLIENT_EVENTS
from shared.realtime.admin_event_schemas import ANSWERS, FIELDS, validate_client_event
from shared.realtime.admin_event_sender import send_admin_event
from shared.realtime.server_events import ResponseCreated
from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.admin_events import EventRefused
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from tests.contract.observer.harness import KEY, observed_calls
from tests.contract.observer.scripted_sideband import ScriptedSideband
from tests.support.scripted_endpoint import Said, upstream

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


def realtime_connector(base: str) -> SidebandConnector:
    return SidebandConnector(base, lambda: KEY, REALTIME_SIDEBAND)


def message(role: str = "user", kind: str = "input_text", **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": "Hi."}], **more}


FUNCTION = {"type": "function", "name": "f"}
FUNCTION_CALL = {"type": "function_call", "name": "f", "arguments": ""}
ASIDE = {"output_modalities": ["audio"], "metadata": {"a": "b"}, "max_output_tokens": "inf"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
LOOK = message()["content"]
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
REFERENCE = {"type": "item_reference", "id": "item_1"}
MCP = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}
OUT_OF_BAND = {
    "conversation": "none",
    "input": [message(), REFERENCE, FUNCTION_CALL, OUTPUT, message("assistant", "output_text")],
    "tools": [{**FUNCTION, "parameters": {"type": "object"}}, MCP],
    "tool_choice": FUNCTION,
    "reasoning": {"effort": "low"},
    "audio": {"output": {"voice": "marin", "format": {"type": "audio/pcm", "rate": 24000}}},
    "parallel_tool_calls": False,
    "prompt": {"id": "pmpt_1", "variables": {"city": "Bern"}},
    "metadata": None,
}
GOOD: list[dict[str, Any]] = [
    {"type": "conversation.item.create", "item": {**message(), "content": [*LOOK, IMAGE]}},
    {"type": "conversation.item.create", "item": OUTPUT},
    {"type": "conversation.item.create", "item": {**APPROVAL, "id": "a", "reason": "Known."}},
    {"type": "conversation.item.create", "item": {**APPROVAL, "id": "a", "approve": False}},
    {"type": "response.create", "response": OUT_OF_BAND},
    {"type": "response.create", "response": {"input": []}},
    {"type": "response.create", "response": {"tool_choice": "none", "conversation": "auto"}},
    {"type": "response.create", "response": {"tool_choice": {"type": "mcp", "server_label": "d"}}},
    {"type": "response.create", "response": {"audio": {"output": {"voice": {"id": "voice_1"}}}}},
    {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}},
    {"type": "session.update", "session": {"type": "realtime", "tools": [FUNCTION]}},
    {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {}}}},
    {"type": "conversation.item.create", "item": message()},
    {"type": "conversation.item.create", "item": message("system"), "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": message("assistant", "output_text", id="item_1")},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 10},
    {"type": "response.create"},
    {"type": "response.create", "response": {"instructions": "Say hi."}},
    {"type": "response.create", "response": ASIDE},
    {"type": "response.cancel"},
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "output_audio_buffer.clear"},
]  # fmt: skip
BAD: list[Any] = [
    {},
    {"type": 1},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "conversation.item.retrieve", "item_id": "item_1"},
    {"type": "session.update"},
    {"type": "session.update", "session": {}},
    {"type": "session.update", "session": {"type": "transcription", "instructions": "x"}},
    {"type": "session.update", "session": {"type": "realtime", "model": "gpt-realtime-2"}},
    {"type": "session.update", "session": {"type": "realtime", "temperature": 0.8}},
    {"type": "conversation.item.create"},
    {"type": "conversation.item.create", "item": message("assistant")},
    {"type": "conversation.item.create", "item": message(id="x" * 33)},
    {"type": "conversation.item.create", "item": FUNCTION_CALL},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
    {"type": "conversation.item.create", "item": {**OUTPUT, "call_id": 1}},
    {"type": "conversation.item.create", "item": {**APPROVAL, "approve": "yes"}},
    {"type": "conversation.item.create", "item": {"type": "mcp_call", "id": "m"}},
    {"type": "conversation.item.create", "item": REFERENCE},
    {"type": "conversation.item.create", "item": message("system", "input_image")},
    {
        "type": "conversation.item.create",
        "item": {**message(), "content": [{**IMAGE, "image_url": "https://example.org/a.png"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {**message(), "content": [{"type": "input_audio", "audio": "AAAA"}]},
    },
    {"type": "response.create", "response": {"conversation": "conv_1"}},
    {"type": "response.create", "response": {"input": [{"type": "input_audio"}]}},
    {"type": "response.create", "response": {"tools": [{"type": "mcp", "server_label": "d"}]}},
    {"type": "response.create", "response": {"tool_choice": {"type": "function"}}},
    {"type": "response.create", "response": {"reasoning": {"effort": "most"}}},
    {"type": "response.create", "response": {"audio": {"input": {}}}},
    {"type": "response.create", "response": {"temperature": 1}},
    {"type": "response.create", "response": {"instructions": "x" * 200_001}},
    {"type": "response.cancel", "event_id": "mine"},
    {"type": "output_audio_buffer.clear", "x": 1},
]  # fmt: skip


@pytest.mark.parametrize("event", GOOD, ids=lambda e: str(e["type"]))
def test_an_allowed_event_is_one_of_the_apis_events(event: dict[str, Any]) -> None:
    assert validate_client_event(event) == event
    if (event.get("response") or {}).get("input"):
        # The models leave references out, which the parameters of `create` have.
        TypeAdapter(RealtimeResponseCreateParamsWithReferencesParam).validate_python(
            event["response"]
        )
    else:
        CLIENT_EVENT.validate_python(event)


@pytest.mark.parametrize("event", GOOD, ids=lambda e: str(e["type"]))
async def test_the_emulator_understands_every_allowed_event(event: dict[str, Any]) -> None:
    check, _ = CLIENT_EVENTS[event["type"]]
    check(event, "")


@pytest.mark.parametrize("event", BAD)
def test_what_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|missing|unknown field|too large"):
        validate_client_event(event)


def test_a_refusal_quotes_no_value() -> None:
    event = {"type": "response.create", "response": {"instructions": 1, "secret words": "x"}}
    with pytest.raises(ValueError, match="instructions") as refusal:
        validate_client_event({**event, "type": "response.create"})
    assert "1" not in str(refusal.value).replace("100", "")


def test_every_allowed_event_has_its_answer_and_an_example() -> None:
    assert set(FIELDS) == set(ANSWERS) == {event["type"] for event in GOOD}


async def test_events_take_effect_and_are_acknowledged() -> None:
    async with observed_calls() as it:
        call = await it.call()

        async def send(kind: str, **fields: Any) -> Any:
            return await send_admin_event(it.connect, call.id, {"type": kind, **fields})

        update = {"type": "realtime", "instructions": "Be kind."}
        updated = await send("session.update", session=update)
        assert updated.session["instructions"] == "Be kind."
        item = (await send("conversation.item.create", item=message())).item
        assert item.text == "Hi."
        assert (await send("response.create")).type == "response.created"
        await call.expect("response.done")
        deleted = await send("conversation.item.delete", item_id=item.id)
        assert deleted.item_id == item.id
        (state,) = (await it.state())["calls"]
        assert state["observers"] == 1, "only the driver: each event's connection is closed"


async def test_a_response_outside_the_conversation_is_told_from_others() -> None:
    """Another response begins between the event and its answer."""
    inside, outside = (
        {"type": "response.created", "response": {"id": name, "conversation_id": conversation}}
        for name, conversation in (("resp_in", "conv_1"), ("resp_out", None))
    )
    for response, first, second, answer in (
        ({"conversation": "none"}, inside, outside, "resp_out"),
        ({"conversation": "auto"}, outside, inside, "resp_in"),
        ({}, outside, inside, "resp_in"),
    ):
        sideband = ScriptedSideband(first, second)

        async def connect(_: str, sideband: ScriptedSideband = sideband) -> Sideband:
            return sideband

        event = {"type": "response.create", "response": response}
        created = await send_admin_event(connect, "rtc_1", event)
        assert isinstance(created, ResponseCreated)
        assert created.response_id == answer


async def test_a_response_with_its_own_input_and_function_is_made() -> None:
    function = {"type": "function", "name": "note", "parameters": {"type": "object"}}
    async with observed_calls() as it:
        call = await it.call()
        response = {
            "conversation": "none",
            "input": [message()],
            "tools": [function],
            "tool_choice": {"type": "function", "name": "note"},
        }
        event = {"type": "response.create", "response": response}
        created = await send_admin_event(it.connect, call.id, event)
        assert isinstance(created, ResponseCreated)
        done = (await call.expect("response.done"))["response"]
        assert (done["conversation_id"], done["output"][0]["name"]) == (None, "note")


async def test_an_output_that_answers_no_call_is_refused() -> None:
    async with observed_calls() as it:
        call = await it.call()
        for item, code in ((OUTPUT, "invalid_tool_call_id"), (APPROVAL, "item_not_found")):
            event = {"type": "conversation.item.create", "item": item}
            with pytest.raises(EventRefused) as refusal:
                await send_admin_event(it.connect, call.id, event)
            assert refusal.value.code == code


async def test_a_refusal_of_the_endpoint_is_reported_by_its_code() -> None:
    async with observed_calls() as it:
        call = await it.call()
        for event, code in (
            ({"type": "response.cancel"}, "response_cancel_not_active"),
            ({"type": "conversation.item.delete", "item_id": "none"}, "item_not_found"),
        ):
            with pytest.raises(EventRefused) as refusal:
                await send_admin_event(it.connect, call.id, event)
            assert refusal.value.code == code


async def test_nothing_answers_where_nothing_was_playing() -> None:
    async with observed_calls() as it:
        call = await it.call()
        event = {"type": "output_audio_buffer.clear"}
        short = timedelta(milliseconds=50)
        assert await send_admin_event(it.connect, call.id, event, timeout=short) is None


async def test_a_call_that_is_not_there_and_an_endpoint_that_is_not() -> None:
    async with observed_calls() as it:
        with pytest.raises(NoSuchCall):
            await send_admin_event(it.connect, "rtc_unknown", {"type": "response.cancel"})
    with pytest.raises(SidebandUnavailable):
        await realtime_connector("http://127.0.0.1:9/v1/realtime")("rtc_1")


async def test_the_call_ends_while_the_answer_is_awaited() -> None:
    async with observed_calls() as it:
        call = await it.call()
        event = {"type": "output_audio_buffer.clear"}
        connected = asyncio.Event()

        async def connect(call_id: str) -> Sideband:
            sideband = await it.connect(call_id)
            connected.set()
            return sideband

        sending = asyncio.create_task(send_admin_event(connect, call.id, event))
        await connected.wait()
        await call.hang_up()
        with pytest.raises(SidebandUnavailable):
            await sending


async def test_a_redirect_is_not_followed_with_our_key_in_hand() -> None:
    with upstream() as endpoint:
        endpoint.on("/v1/realtime", Said(307, headers={"Location": "/thief"}))
        with pytest.raises(SidebandUnavailable) as refusal:
            await realtime_connector(f"{endpoint.url}/v1/realtime")("rtc_1")
    assert refusal.value.status == 307
    assert [asked.path for asked in endpoint.asked] == ["/v1/realtime?call_id=rtc_1"]
