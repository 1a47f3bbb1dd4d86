"""Observed calls with real media: the record has what the caller says and hears."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtime_emulator.caller import Caller
from shared.tools.registry import Registry
from shared.usage import tokens
from shared.usage.price_files import load_prices
from tests.contract.observer.harness import ObservedCalls, observed_calls
from tests.support.voice import SPEECH, read_wav

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
EARS = {
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
    "transcription": {"model": "gpt-realtime-whisper"},
}
SPOKEN: dict[str, Any] = {"output_modalities": ["audio"], "audio": {"input": EARS}}
STORY = "It was a dark night, " * 20


async def dial(it: ObservedCalls, caller: Caller, **session: Any) -> str:
    """A call with media; its id."""
    await it.mint_for({**SPOKEN, **session})
    call_id = await it.server_call(await caller.offer())
    await caller.accept(it.answer)
    return call_id


async def test_a_story_that_the_caller_interrupts() -> None:
    rules = [{"words": ["story"], "say": STORY}, {"words": ["hello"], "say": "Hello!"}]
    async with observed_calls(real_media=True, rules=rules) as it, Caller() as caller:
        call_id = await dial(it, caller)
        watching = it.begin(call_id, session={"type": "realtime", **SPOKEN})
        await it.attached(call_id, watching.holder)
        caller.say(*read_wav(SPEECH / "story.wav"))
        await caller.expect("output_audio_buffer.started")
        caller.say(*read_wav(SPEECH / "hello.wav"))
        cut = await caller.expect("conversation.item.truncated")
        await it.recorded(call_id, "Hello!")
        await caller.expect("output_audio_buffer.stopped")
        await caller.close()
        observed = await watching.done()
        script = it.transcript(call_id)
        roles = [entry.role for entry in script.entries]
        assert roles == ["user", "assistant", "user", "assistant"], "in the conversation's order"
        first, story, second, answer = script.entries
        assert "story" in (first.text or "")
        assert story.interrupted
        assert story.heard_ms == cut["audio_end_ms"]
        assert story.heard_text
        assert STORY.startswith(story.heard_text)
        assert len(story.text or "") < len(STORY)
        assert "hello" in (second.text or "").lower()
        assert (answer.text, answer.interrupted) == ("Hello!", False)
        # The caller's words were recognised after the answer had begun.
        seq = {(line.kind, line.key): line.seq for line in it.lines(call_id)}
        assert seq["words", first.item_id] > seq["placed", story.item_id]
        assert observed.usage == tokens.usage_of_response({"usage": (await it.state())["usage"]})
        assert observed.usage.audio_in > 0
        assert observed.usage.audio_out > 0
        heard = observed.tally.usage.transcriptions["gpt-realtime-whisper"]
        assert heard.seconds > 1
        assert not heard.unmeasured


async def test_what_is_dictated_is_on_record_and_nobody_answers() -> None:
    session = json.loads((CASES / "dictation.json").read_text())["session"]
    async with observed_calls(real_media=True) as it, Caller() as caller:
        it.key = await it.server.mint(session=session)
        call_id = await it.server_call(await caller.offer())
        await caller.accept(it.answer)
        watching = it.begin(call_id, session=session)
        await it.attached(call_id, watching.holder)
        caller.say(*read_wav(SPEECH / "hello.wav"))
        await it.written(call_id, lambda line: line.kind == "transcription")
        driver = await it.driven(call_id)
        # What a page changes is taken back, in a session of the same type.
        off = {"type": "transcription", "audio": {"input": {"transcription": None}}}
        await driver.tell("session.update", session=off)
        for wanted in (None, "gpt-live-transcribe"):
            session_now = (await driver.expect("session.updated"))["session"]
            found = session_now["audio"]["input"]["transcription"] or {}
            assert found.get("model") == wanted
        await driver.tell("response.create")
        assert (await driver.expect("error"))["error"]["code"] == "invalid_value"
        await caller.close()
        used = (await watching.done()).tally.usage
        (entry,) = it.transcript(call_id).entries
        assert (entry.role, entry.origin) == ("user", "caller")
        assert "hello" in (entry.text or "").lower()
        assert not [line for line in it.lines(call_id) if line.kind == "response"]
        heard = used.transcriptions["gpt-live-transcribe"]
        assert heard.seconds > 0.5
        assert not heard.unmeasured
        cost = load_prices().call_cost("gpt-live-transcribe", used)
        assert cost is not None
        assert cost.amount > 0


async def test_a_tool_called_by_voice_runs_on_the_server_and_its_result_is_spoken() -> None:
    registry = Registry()

    @registry.tool
    def weather(city: str) -> str:
        """Says what the weather is like.

        city: A city's name.
        """
        return f"Foggy in {city}."

    session = registry.complete_session(
        {"type": "realtime", "tools": [{"type": "function", "name": "weather"}]}
    )
    async with observed_calls(real_media=True) as it, Caller() as caller:
        call_id = await dial(it, caller, tools=session["tools"])
        watching = it.begin(call_id, parts={"registry": registry}, session={**session, **SPOKEN})
        await it.attached(call_id, watching.holder)
        caller.say(*read_wav(SPEECH / "weather.wav"))
        await caller.expect("output_audio_buffer.started")
        told = await caller.expect("response.output_audio_transcript.done")
        assert told["transcript"] == "The tool says: Foggy in London."
        await caller.expect("output_audio_buffer.stopped")
        assert caller.energy > 0
        await caller.close()
        await watching.done()
        kinds = [entry.kind for entry in it.transcript(call_id).entries]
        assert kinds == ["message", "tool_call", "tool_result", "message"]
        arguments = it.transcript(call_id).entries[1].arguments
        assert json.loads(arguments) == {"city": "London"}


async def test_a_late_observer_of_a_spoken_call_has_the_answer_that_is_being_played() -> None:
    async with observed_calls(real_media=True) as it, Caller() as caller:
        call_id = await dial(it, caller)
        caller.send_event({"type": "response.create"})
        await caller.expect("response.done")
        watching = it.begin(call_id)
        await it.attached(call_id, watching.holder)
        greeting = "Hello! This is the emulator. Say something and I will say it back."
        await it.recorded(call_id, greeting)
        await caller.close()
        await watching.done()
        assert it.told(call_id) == [("gap", None), ("assistant", greeting)]
