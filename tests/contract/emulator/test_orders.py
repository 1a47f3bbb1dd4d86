"""The orders of events, against recorded live traffic and the API reference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.harness import fake_call, folded

TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
"""Recorded: a text turn over the sideband of a WebRTC call, Azure."""

TOOL_ROUND = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
"""Recorded: a function call, Azure."""

SPOKEN_ANSWER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "output_audio_buffer.started",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
    "output_audio_buffer.stopped",
]
"""Recorded: an audio reply over WebRTC, seen from the sideband, OpenAI."""

VOICE_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]
"""Recorded: a turn found by `server_vad`, Azure."""

REST_OF_A_CANCELLED_ANSWER = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]

TEXT = {"output_modalities": ["text"]}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}}}
LONG = " ".join(["word"] * 30)


async def test_a_text_turn() -> None:
    async with fake_call(config=TEXT) as it:
        it.ask("Say hello.")
        assert await it.kinds("response.done") == TEXT_TURN
        done = it.events[-1]["response"]
        assert done["status"] == "completed"
        assert done["output"][0]["content"][0]["text"] == "Hello! How can I help you today?"
        deltas = [e for e in it.events if e["type"] == "response.output_text.delta"]
        assert "".join(e["delta"] for e in deltas) == "Hello! How can I help you today?"
        assert all(len(e["delta"] + e["obfuscation"]) % 16 == 0 for e in deltas)


async def test_a_tool_round() -> None:
    async with fake_call(config={**TEXT, "tools": [WEATHER]}) as it:
        it.ask("What is the weather in London?")
        assert await it.kinds("response.done") == TOOL_ROUND
        call = it.events[-1]["response"]["output"][0]
        assert (call["name"], call["arguments"]) == ("get_weather", '{"city": "London"}')
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "Foggy."}
        it.tell("conversation.item.create", item=output)
        it.tell("response.create")
        assert await it.kinds("response.done") == TEXT_TURN
        said = it.events[-1]["response"]["output"][0]["content"][0]["text"]
        assert said == "The tool says: Foggy."


async def test_items_name_the_one_before_them() -> None:
    async with fake_call(config=TEXT) as it:
        it.ask("One.")
        await it.expect("response.done")
        it.ask("Two.")
        await it.expect("response.done")
        chain = [
            (event["previous_item_id"], event["item"]["id"])
            for event in it.events
            if event["type"] == "conversation.item.added"
        ]
        assert [before for before, _ in chain] == [None, *(item for _, item in chain[:-1])]


async def test_a_spoken_answer() -> None:
    async with fake_call("openai", ahead_seconds=60) as it:
        it.tell("response.create")
        order = await it.kinds("rate_limits.updated")
        it.peer.playbacks[0].finish()
        assert order + await it.kinds("output_audio_buffer.stopped") == SPOKEN_ANSWER


async def test_azure_tells_no_rate_limits() -> None:
    async with fake_call() as it:
        it.tell("response.create")
        await it.expect("response.done")
        it.peer.playbacks[0].finish()
        assert (await it.next())["type"] == "output_audio_buffer.stopped"


async def test_a_voice_turn_is_transcribed_while_the_answer_is_under_way() -> None:
    async with fake_call(heard=("hello there",), config=TRANSCRIBED) as it:
        it.speak()
        assert await it.kinds("response.created") == VOICE_TURN
        user = it.events[2]["item_id"]
        assert {it.events[n]["item_id"] for n in (0, 1, 2)} == {user}
        transcript = await it.expect("conversation.item.input_audio_transcription.completed")
        assert (transcript["transcript"], transcript["item_id"]) == ("hello there", user)
        assert transcript["usage"] == {"type": "duration", "seconds": 1.0}
        kinds = [event["type"] for event in it.events]
        assert "response.content_part.added" in kinds
        assert (
            it.call.dialogue.conversation.find_item(user).data["content"][0]["transcript"]
            == "hello there"
        )


async def test_a_transcription_model_that_is_not_deployed() -> None:
    whisper = {"audio": {"input": {"transcription": {"model": "not-there"}}}}
    async with fake_call(heard=("hello",), config=whisper) as it:
        it.speak()
        failed = await it.expect("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "DeploymentNotFound"
        assert "response.created" in [event["type"] for event in it.events]


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_the_caller_interrupts_an_answer_in_progress(provider: Provider) -> None:
    async with fake_call(
        provider, heard=("first", "second"), otherwise=LONG, ahead_seconds=0.2
    ) as it:
        it.speak()
        await it.expect("output_audio_buffer.started")
        await it.expect("response.output_audio_transcript.delta")
        it.peer.playbacks[0].position = timedelta(milliseconds=240)
        it.speak()
        order = await it.kinds("response.done")
        order = order[order.index("input_audio_buffer.speech_started") :]
        assert order == [
            "input_audio_buffer.speech_started",
            "output_audio_buffer.cleared",
            "conversation.item.truncated",
            *REST_OF_A_CANCELLED_ANSWER,
        ]
        events = {event["type"]: event for event in it.events}
        assert events["conversation.item.truncated"]["audio_end_ms"] == 240
        done = events["response.done"]["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert done["output"][0]["status"] == "incomplete"
        await it.expect("response.created")


async def test_the_caller_interrupts_what_is_only_still_playing() -> None:
    async with fake_call(heard=("first", "second"), ahead_seconds=60) as it:
        it.speak()
        done = await it.expect("response.done")
        it.peer.playbacks[0].position = timedelta(milliseconds=150)
        it.speak()
        assert await it.kinds("response.created") == [
            "input_audio_buffer.speech_started",
            "output_audio_buffer.cleared",
            "conversation.item.truncated",
            *VOICE_TURN[1:],
        ]
        cut = done["response"]["output"][0]["id"]
        it.tell("conversation.item.retrieve", item_id=cut)
        item = (await it.expect("conversation.item.retrieved"))["item"]
        assert "transcript" not in item["content"][0]


async def test_a_session_that_does_not_want_to_be_interrupted() -> None:
    quiet: dict[str, Any] = {
        "type": "server_vad",
        "create_response": False,
        "interrupt_response": False,
    }
    async with fake_call(config={"audio": {"input": {"turn_detection": quiet}}}) as it:
        it.tell("response.create")
        await it.expect("output_audio_buffer.started")
        it.speak()
        await it.expect("input_audio_buffer.committed")
        it.peer.playbacks[0].finish()
        await it.expect("output_audio_buffer.stopped")
        kinds = [event["type"] for event in it.events]
        assert "output_audio_buffer.cleared" not in kinds
        assert kinds.count("response.created") == 1


async def test_deltas_are_in_step_with_the_audio() -> None:
    async with fake_call(otherwise=LONG, heard=("x",), ahead_seconds=0.5) as it:
        it.speak()
        await it.expect("output_audio_buffer.started")
        before = [e for e in it.events if e["type"].endswith("transcript.delta")]
        assert len(before) == 6, "the words of the first half second, and no more"
        await it.expect("response.output_audio.done")
        after = [e for e in it.events if e["type"].endswith("transcript.delta")]
        assert len(after) == 30


async def test_speech_waits_for_a_caller_who_is_not_connected_yet() -> None:
    async with fake_call() as it:
        it.call.dialogue.output.peer = None
        it.tell("response.create")
        await it.expect("response.done")
        assert it.peer.playbacks == []
        it.call.dialogue.output.connect(it.peer)  # type: ignore[arg-type]  # a fake peer
        assert (await it.next())["type"] == "output_audio_buffer.started"


async def test_the_browser_is_told_first_and_filtered() -> None:
    async with fake_call(filtered=True, heard=("hello",), config=TRANSCRIBED) as it:
        it.speak()
        await it.expect("response.done")
        it.peer.playbacks[0].finish()
        await it.expect("output_audio_buffer.stopped")
        assert set(folded([event["type"] for event in it.peer.events])) == {
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "conversation.item.added",
            "conversation.item.input_audio_transcription.completed",
            "response.output_audio_transcript.delta",
            "response.output_audio_transcript.done",
            "output_audio_buffer.started",
            "output_audio_buffer.stopped",
        }
    async with fake_call() as it:
        assert [event["type"] for event in it.peer.events] == ["session.created"]
        assert it.observer.queue.empty(), "no session.created on the sideband"


async def test_planned_replies_come_in_their_order_whatever_was_said() -> None:
    plan: list[dict[str, Any]] = [
        {"call": {"tool": "weather", "arguments": {"city": "Paris"}}},
        {"say": "Two."},
        {"fail": {"code": "inference_rate_limit_exceeded"}},
    ]
    async with fake_call(config={**TEXT, "tools": [WEATHER]}, replies=plan) as it:
        it.ask("hello")
        done = await it.expect("response.done")
        call = done["response"]["output"][0]
        assert call["arguments"] == '{"city": "Paris"}'
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "Fog."}
        it.tell("conversation.item.create", item=output)
        it.tell("response.create")
        done = await it.expect("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "Two."
        it.ask("hello")
        assert (await it.expect("response.done"))["response"]["status"] == "failed"
        it.ask("hello")
        done = await it.expect("response.done")
        assert done["response"]["output"][0]["content"][0]["text"].startswith("Hello!")
