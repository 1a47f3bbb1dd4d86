"""Client events: what each does, and the `error` events they can cause."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from realtime_emulator.media.vad import TurnDetection
from tests.contract.emulator.harness import SECOND_OF_SPEECH, FakeCall, fake_call

TEXT = {"output_modalities": ["text"]}


async def refused(it: FakeCall, kind: str, **fields: Any) -> tuple[str, Any]:
    """The code and parameter of the error that a client event causes."""
    it.tell(kind, event_id="mine", **fields)
    error = (await it.expect("error"))["error"]
    assert error["event_id"] == "mine"
    return error["code"], error["param"]


async def updated(it: FakeCall, **fields: Any) -> dict[str, Any]:
    it.tell("session.update", session={"type": "realtime", **fields})
    session: dict[str, Any] = (await it.expect("session.updated"))["session"]
    return session


async def test_an_update_changes_what_it_names() -> None:
    async with fake_call() as it:
        before = it.call.session
        after = await updated(it, instructions="Be brief.", audio={"output": {"voice": "cedar"}})
        assert after["instructions"] == "Be brief."
        assert after["audio"]["output"] == {**before["audio"]["output"], "voice": "cedar"}
        assert after["audio"]["input"] == before["audio"]["input"]
        assert after["id"] == before["id"]
        assert after["expires_at"] == before["expires_at"] > 0


async def test_an_update_fills_in_and_takes_away() -> None:
    async with fake_call() as it:
        heard: dict[str, Any] = {"transcription": {"model": "whisper-1"}, "turn_detection": None}
        after = (await updated(it, audio={"input": heard}))["audio"]["input"]
        assert after["transcription"] == {"model": "whisper-1", "language": None, "prompt": None}
        assert after["turn_detection"] is None
        vad = it.call.input_audio.vad
        assert vad.detection is None
        heard = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700}}
        after = (await updated(it, audio={"input": heard}))["audio"]["input"]
        assert after["turn_detection"]["create_response"] is True
        assert vad.detection == TurnDetection(silence_duration=timedelta(milliseconds=700))


async def test_the_model_stays() -> None:
    async with fake_call() as it:
        assert (await updated(it, model="gpt-realtime-2.1"))["model"] == "gpt-realtime"


async def test_updates_that_are_refused() -> None:
    async with fake_call() as it:
        no_type = await refused(it, "session.update", session={"instructions": "x"})
        assert no_type == ("missing_required_parameter", "session.type")
        flat = {"type": "realtime", "voice": "x"}
        assert await refused(it, "session.update", session=flat) == (
            "unknown_parameter",
            "session.voice",
        )
        await updated(it, tracing="auto")
        off = {"type": "realtime", "tracing": None}
        assert (await refused(it, "session.update", session=off))[1] == "session.tracing"


async def test_the_voice_is_locked_once_heard() -> None:
    async with fake_call() as it:
        it.tell("response.create")
        await it.expect("output_audio_buffer.started")
        other = {"type": "realtime", "instructions": "x", "audio": {"output": {"voice": "cedar"}}}
        code, _ = await refused(it, "session.update", session=other)
        assert code == "cannot_update_voice"
        assert it.call.session["instructions"] != "x", "the whole update is rejected"
        same = await updated(it, instructions="y", audio={"output": {"voice": "alloy"}})
        assert same["instructions"] == "y"


async def test_one_response_at_a_time() -> None:
    async with fake_call(config=TEXT, rules=[{"words": [], "stall_seconds": 30}]) as it:
        it.ask("Wait.")
        await it.expect("response.created")
        code, _ = await refused(it, "response.create")
        assert code == "conversation_already_has_active_response"
        it.tell("response.create", response={"conversation": "none", "metadata": {"topic": "x"}})
        aside = (await it.expect("response.created"))["response"]
        assert (aside["conversation_id"], aside["metadata"]) == (None, {"topic": "x"})


async def test_cancel() -> None:
    async with fake_call(config=TEXT, rules=[{"words": [], "stall_seconds": 30}]) as it:
        assert (await refused(it, "response.cancel"))[0] == "response_cancel_not_active"
        it.ask("Wait.")
        await it.expect("response.created")
        it.tell("response.cancel")
        done = (await it.expect("response.done"))["response"]
        assert done["status"] == "cancelled"
        assert done["status_details"]["reason"] == "client_cancelled"
        it.ask("Again.")
        await it.expect("response.created")


async def test_clearing_the_output() -> None:
    async with fake_call(ahead_seconds=60) as it:
        it.tell("response.create")
        await it.expect("response.done")
        assert (await refused(it, "response.cancel"))[0] == "response_cancel_not_active"
        it.tell("output_audio_buffer.clear")
        assert (await it.next())["type"] == "output_audio_buffer.cleared"
        it.tell("response.create")
        await it.expect("output_audio_buffer.started")


async def test_items() -> None:
    async with fake_call(config=TEXT) as it:

        async def create(item: Any, **fields: Any) -> str | None:
            it.tell("conversation.item.create", item=item, **fields)
            added = await it.expect("conversation.item.added")
            assert added["item"]["id"] == item["id"]
            before: str | None = added["previous_item_id"]
            return before

        content = [{"type": "input_text", "text": "Hello"}]
        message = {"type": "message", "role": "user", "content": content}
        assert await create({"id": "one", **message}) is None
        assert await create({"id": "two", **message}) == "one"
        assert await create({"id": "zero", **message}, previous_item_id="root") is None
        assert await create({"id": "half", **message}, previous_item_id="one") == "one"
        it.tell("conversation.item.retrieve", item_id="half")
        assert (await it.expect("conversation.item.retrieved"))["item"]["content"] == content
        it.tell("conversation.item.delete", item_id="half")
        assert (await it.expect("conversation.item.deleted"))["item_id"] == "half"
        gone = ("item_not_found", "item_id")
        assert await refused(it, "conversation.item.retrieve", item_id="half") == gone
        assert await refused(it, "conversation.item.delete", item_id="half") == gone
        cut = {"content_index": 0, "audio_end_ms": 10}
        assert await refused(it, "conversation.item.truncate", item_id="one", **cut)
        lost = {"type": "function_call_output", "call_id": "call_x", "output": ""}
        code, _ = await refused(it, "conversation.item.create", item=lost)
        assert code == "invalid_tool_call_id"


async def test_truncating_what_was_said() -> None:
    async with fake_call(ahead_seconds=60) as it:
        it.tell("response.create")
        item_id = (await it.expect("response.done"))["response"]["output"][0]["id"]
        cut = {"item_id": item_id, "content_index": 0}
        it.tell("conversation.item.truncate", **cut, audio_end_ms=200)
        assert (await it.expect("conversation.item.truncated"))["audio_end_ms"] == 200
        assert await refused(it, "conversation.item.truncate", **cut, audio_end_ms=99_000)


async def test_push_to_talk() -> None:
    push = {"audio": {"input": {"turn_detection": None}}}
    async with fake_call(heard=("hello",), config={**TEXT, **push}) as it:
        empty = await refused(it, "input_audio_buffer.commit")
        assert empty == ("input_audio_buffer_commit_empty", None)
        it.call.receive_audio(SECOND_OF_SPEECH)
        it.tell("input_audio_buffer.clear")
        await it.expect("input_audio_buffer.cleared")
        assert (await refused(it, "input_audio_buffer.commit"))[0] == empty[0]
        it.call.receive_audio(SECOND_OF_SPEECH)
        it.tell("input_audio_buffer.commit")
        assert await it.kinds("conversation.item.done") == [
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
        ]
        it.tell("response.create")
        done = (await it.expect("response.done"))["response"]
        assert done["output"][0]["content"][0]["text"] == "Hello! How can I help you today?"


async def test_audio_may_come_as_an_event() -> None:
    push = {"audio": {"input": {"turn_detection": None}}}
    async with fake_call(config={**TEXT, **push}) as it:
        second = base64.b64encode(bytes(2 * 24_000)).decode()
        it.tell("input_audio_buffer.append", audio=second)
        assert it.call.input_audio.vad.position == timedelta(seconds=1)
        assert (await refused(it, "input_audio_buffer.append", audio="*"))[0] == "invalid_value"


async def test_silence_after_an_answer_is_a_turn_if_the_session_says_so() -> None:
    async with fake_call(ahead_seconds=60) as it:
        it.tell("response.create")
        await it.expect("response.done")
        it.call.session["audio"]["input"]["turn_detection"]["idle_timeout_ms"] = 20
        it.peer.playbacks[0].finish()
        await it.expect("input_audio_buffer.timeout_triggered")
        await it.expect("input_audio_buffer.committed")
        await it.expect("response.created")


async def test_a_response_beside_the_conversation_leaves_its_silence_alone() -> None:
    async with fake_call(ahead_seconds=60) as it:
        it.tell("response.create")
        await it.expect("response.done")
        it.call.session["audio"]["input"]["turn_detection"]["idle_timeout_ms"] = 20
        it.peer.playbacks[0].finish()
        await it.expect("output_audio_buffer.stopped")
        beside = {"conversation": "none", "output_modalities": ["text"]}
        it.tell("response.create", response=beside)
        await it.expect("input_audio_buffer.timeout_triggered")


async def test_an_event_that_is_too_large_for_the_page_is_named_and_no_other_lost() -> None:
    async with fake_call() as it:
        long = "x" * it.peer.largest_event
        it.tell("session.update", session={"type": "realtime", "instructions": long})
        assert (await it.expect("session.updated"))["session"]["instructions"] == long
        error = it.peer.events[-1]["error"]
        assert error["code"] == "event_too_large"
        assert error["message"].startswith("'session.updated' has ")
        it.tell("input_audio_buffer.clear")
        await it.expect("input_audio_buffer.cleared")
        assert it.peer.events[-1]["type"] == "input_audio_buffer.cleared"


@pytest.mark.parametrize(
    ("text", "param"),
    [("{", None), ("[]", None), ('{"type": "session.end"}', "type"), ("{}", "type")],
)
async def test_what_is_no_client_event(text: str, param: str | None) -> None:
    async with fake_call() as it:
        it.call.receive_event(text)
        assert (await it.expect("error"))["error"]["param"] == param


@pytest.mark.parametrize(
    ("rule", "status", "reason"),
    [
        ({"fail": {"code": "inference_rate_limit_exceeded"}}, "failed", None),
        ({"say": "A b c d", "incomplete": "content_filter"}, "incomplete", "content_filter"),
    ],
)
async def test_answers_that_go_wrong(rule: Any, status: str, reason: str | None) -> None:
    async with fake_call(config=TEXT, rules=[{"words": ["go"], **rule}]) as it:
        it.ask("Go!")
        done = (await it.expect("response.done"))["response"]
        assert done["status"] == done["status_details"]["type"] == status
        assert done["status_details"].get("reason") == reason
        if status == "failed":
            assert done["status_details"]["error"]["code"] == "inference_rate_limit_exceeded"
        it.ask("Else?")
        assert (await it.expect("response.done"))["response"]["status"] == "completed"


async def test_a_limit_on_tokens_cuts_an_answer() -> None:
    async with fake_call(config={**TEXT, "max_output_tokens": 3}) as it:
        it.ask("Something long enough")
        done = (await it.expect("response.done"))["response"]
        assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        assert done["usage"]["output_tokens"] == 3


async def test_usage_adds_up_and_the_cache_grows() -> None:
    async with fake_call(heard=("a", "b", "c", "d"), ahead_seconds=60) as it:
        reports = []
        for turn in range(4):
            it.speak()
            reports.append((await it.expect("response.done"))["response"]["usage"])
            it.peer.playbacks[turn].finish()
            await it.expect("output_audio_buffer.stopped")
        for usage in reports:
            read, made = usage["input_token_details"], usage["output_token_details"]
            assert usage["input_tokens"] == read["text_tokens"] + read["audio_tokens"]
            assert usage["output_tokens"] == made["text_tokens"] + made["audio_tokens"]
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
            assert sum(read["cached_tokens_details"].values()) == read["cached_tokens"]
        first, last = reports[0], reports[-1]
        assert first["input_token_details"]["audio_tokens"] == 10, "one second heard"
        assert first["output_token_details"]["audio_tokens"] == 6, "three words, 0.3 s"
        assert first["input_token_details"]["cached_tokens"] == 0
        cached = [usage["input_token_details"]["cached_tokens"] for usage in reports]
        assert cached == sorted(cached)
        assert last["input_tokens"] > first["input_tokens"]
        assert it.call.dialogue.usage["total_tokens"] == sum(
            usage["total_tokens"] for usage in reports
        )


async def test_a_response_has_its_own_settings() -> None:
    async with fake_call(config=TEXT) as it:
        content = [{"type": "input_text", "text": "hello"}]
        item = {"id": "greeted", "type": "message", "role": "user", "content": content}
        it.tell("conversation.item.create", item=item)
        it.ask("Something else.")
        await it.expect("response.done")
        aside = {
            "conversation": "none",
            "input": [{"type": "item_reference", "id": "greeted"}],
            "audio": {"output": {"voice": "cedar"}},
            "max_output_tokens": 100,
        }
        it.tell("response.create", response=aside)
        order = await it.kinds("response.done")
        assert "conversation.item.added" not in order
        done = it.events[-1]["response"]
        assert done["output"][0]["content"][0]["text"] == "Hello! How can I help you today?"
        assert done["audio"]["output"]["voice"] == "cedar"
        assert (done["max_output_tokens"], done["conversation_id"]) == (100, None)
        assert len(it.call.dialogue.conversation.items) == 3
        code, param = await refused(it, "response.create", response={"temperature": 1})
        assert (code, param) == ("unknown_parameter", "response.temperature")


async def test_cancelling_speech_plays_what_was_made_of_it() -> None:
    async with fake_call(otherwise=" ".join(["word"] * 30), heard=("x",), ahead_seconds=0.1) as it:
        it.speak()
        await it.expect("output_audio_buffer.started")
        it.tell("response.cancel")
        done = (await it.expect("response.done"))["response"]
        assert done["output"][0]["status"] == "incomplete"
        assert len(done["output"][0]["content"][0]["transcript"].split()) < 30
        await it.expect("output_audio_buffer.stopped")
        assert it.peer.playbacks[0].result.result() is False


async def test_a_sentence_with_a_pause_is_answered_whole() -> None:
    async with fake_call(
        heard=("good", "morning"), rules=[{"words": ["good morning"], "say": "Yes."}]
    ) as it:
        it.speak()
        it.speak()
        assert (await it.expect("response.done"))["response"]["status"] == "cancelled"
        done = (await it.expect("response.done"))["response"]
        assert done["output"][0]["content"][0]["transcript"] == "Yes."
