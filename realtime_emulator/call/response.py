"""One response of the model, from `response.created` to `response.done`."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Conversation, Item
from realtime_emulator.call.mcp import McpCall
from realtime_emulator.call.output_audio import OutputAudioBuffer
from realtime_emulator.call.output_items import (
    FunctionCall,
    ItemTarget,
    OutputItemWriter,
    SpokenMessage,
    TextMessage,
)
from realtime_emulator.protocol import events, ids, usage
from realtime_emulator.protocol.usage import Tokens
from realtime_emulator.script.reply_rules import (
    CallMcpTool,
    CallTool,
    Fail,
    Prompt,
    Reply,
    Say,
    choose_reply,
    find_instructed,
    follow_plan,
)

if TYPE_CHECKING:
    from realtime_emulator.speech.synthesis import Speech

logger = logging.getLogger(__name__)

TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+$")


class Response:
    """Answers what was last said in a conversation.

    `params` are the validated ones of `response.create`; they override the session's. `on_done` is
    called once, after `response.done`, with the response and its usage.
    """

    def __init__(
        self,
        context: CallContext,
        conversation: Conversation,
        output: OutputAudioBuffer,
        params: dict[str, Any],
        on_done: Callable[[Response, dict[str, Any]], None],
    ) -> None:
        session = context.session
        self.context, self.conversation, self.output = context, conversation, output
        self.on_done = on_done
        self.id = ids.new("resp")
        self.params = {**session, **params}
        self.audio = {
            **session["audio"]["output"],
            **params.get("audio", {}).get("output", {}),
        }
        self.own_instructions: str | None = params.get("instructions")
        self.in_conversation = params.get("conversation", "auto") != "none"
        self.target = ItemTarget(
            self.id,
            conversation if self.in_conversation else None,
            is_first_response=conversation.responses_done == 0,
        )
        self.read = conversation.tokens() + usage.of_instructions(
            self.params["instructions"], self.params["tools"]
        )
        self.made = Tokens()
        self.writer: OutputItemWriter | None = None
        self.speech: Speech | None = None
        self.spoken = timedelta(0)
        self.is_done = self.is_complete = False
        self.answered_items: list[Item] = []
        self.heard: str | None = None
        self.output_started = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Emits `response.created` and starts generating."""
        self.context.emit(events.event("response.created", response=self.to_json("in_progress")))
        self.task = asyncio.get_running_loop().create_task(self.run())

    def cancel(self, reason: str) -> None:
        """Ends the response now: `turn_detected` (the caller spoke) or `client_cancelled`."""
        if self.task:
            self.task.cancel()
        if self.speech is not None:
            self.output.limit_response(self.id, self.spoken)
        self.finish("cancelled", reason=reason)

    async def run(self) -> None:
        try:
            reply = await self.prepare_reply()
            reply = follow_plan(self.context.services.script, self.prompt_for_rules()) or reply
            if reply.stall:
                self.output_started.set()
                await asyncio.sleep(reply.stall.total_seconds())
            match reply.action:
                case Fail() as fault:
                    error = {"type": fault.type, "code": fault.code, "message": fault.message}
                    self.finish("failed", error=error)
                case CallTool() as call:
                    self.open_writer(FunctionCall(self.context, self.target, call.name))
                    await self.write_deltas(re.findall(r"\w+|\W", call.arguments))
                    self.finish("completed")
                case CallMcpTool() as tool:
                    self.open_writer(McpCall(self.context, self.target, tool))
                    await self.write_deltas(re.findall(r"\w+|\W", tool.arguments))
                    self.finish("completed")
                case Say() as say if self.params["output_modalities"] == ["text"]:
                    await self.write_text(say)
                case Say() as say:
                    await self.speak_text(say)
        except Exception:
            logger.exception("call %s: a response failed", self.context.id)
            self.finish("failed", error={"type": "server_error", "code": "server_error"})
        finally:
            self.output_started.set()

    async def prepare_reply(self) -> Reply:
        """The script's reply to a function's output, or to what the caller has said since the last
        response. A pause in a sentence makes two items of it.

        A response with instructions of its own does what they say, where the script has a rule for
        them or the caller has said nothing new: it is a goodbye, not the answer once again.
        """
        script = self.context.services.script
        asked = self.answered_items
        for item in reversed(self.conversation.resolve_input(self.params.get("input"))):
            if not asked and (output := item.tool_output()) is not None:
                return choose_reply(script, Prompt(tool_output=output))
            if item.data.get("role") != "user":
                if asked:
                    break
            elif asked and item.answered:
                break
            else:
                asked.insert(0, item)
        told, uses = self.own_instructions, self.conversation.rule_uses
        if told and (is_told := find_instructed(script, told, uses)):
            asked.clear()
            return is_told
        # A response that failed has answered nothing: another one may.
        self.heard = self.conversation.unanswered
        if not asked and self.heard is None:
            return choose_reply(script, Prompt())
        if told and all(item.asked for item in asked):
            asked.clear()
            return choose_reply(script, Prompt(instructions=told))
        if self.in_conversation:
            for item in asked:
                item.asked = True
        if asked:
            self.heard = " ".join([words for item in asked if (words := await item.heard())])
        return choose_reply(script, self.prompt_for_rules())

    def prompt_for_rules(self) -> Prompt:
        of_session = {name: self.params[name] for name in ("tools", "tool_choice")}
        return Prompt(self.heard, uses=self.conversation.rule_uses, **of_session)

    async def write_text(self, say: Say) -> None:
        pieces = TOKEN.findall(say.text)
        kept = self.fit_limit(say, len(pieces), lambda count: Tokens(text=count))
        self.open_writer(TextMessage(self.context, self.target))
        await self.write_deltas(pieces[:kept])
        self.finish_say(say, cut=kept < len(pieces))

    async def write_deltas(self, pieces: list[str]) -> None:
        assert self.writer is not None
        pause = self.context.services.script.time("text_delta_seconds").total_seconds()
        for piece in pieces:
            self.writer.send_delta(piece)
            self.output_started.set()
            await asyncio.sleep(pause)
        self.made = Tokens(text=len(pieces))

    async def speak_text(self, say: Say) -> None:
        """Sends deltas in step with the audio: never later than the word is heard, and at most the
        script's `ahead_seconds` before."""
        voice = await self.context.services.voice.get()
        name = self.audio["voice"] if isinstance(self.audio["voice"], str) else "marin"
        whole = await voice.speak(say.text, voice=name, speed=self.audio["speed"])
        await self.output.wait_until_idle()
        kept = self.fit_limit(say, len(whole.words), lambda count: cost_of(whole, count))
        speech = self.speech = whole.first_words(kept)
        writer = self.open_writer(SpokenMessage(self.context, self.target))
        ahead = self.context.services.script.time("ahead_seconds").total_seconds()
        loop = asyncio.get_running_loop()
        started_at: float | None = None
        for word in speech.words:
            wait = word.start.total_seconds() - ahead
            if wait > 0:
                if started_at is None:
                    started_at = loop.time()
                    self.play_speech(speech, writer.item)
                await asyncio.sleep(max(0.0, started_at + wait - loop.time()))
            writer.send_delta(word.text)
            self.output_started.set()
            self.spoken = word.end
            self.made = usage.of_text(writer.sent) + usage.of_output_audio(word.end)
        if started_at is None:
            self.play_speech(speech, writer.item)
        self.spoken = speech.duration
        self.made = cost_of(speech, len(speech.words))
        self.finish_say(say, cut=kept < len(whole.words))

    def play_speech(self, speech: Speech, item: Item) -> None:
        self.conversation.has_spoken = True
        self.output.add_speech(speech, self.id, item)

    def open_writer(self, writer: OutputItemWriter) -> OutputItemWriter:
        self.writer = writer
        writer.open_item()
        return writer

    def fit_limit(self, say: Say, count: int, cost: Callable[[int], Tokens]) -> int:
        """How many of `count` words fit `max_output_tokens`; half if the script cuts it short."""
        limit = self.params["max_output_tokens"]
        if say.incomplete:
            count //= 2
        while limit != "inf" and count and cost(count).total > limit:
            count -= 1
        return count

    def finish_say(self, say: Say, *, cut: bool) -> None:
        reason = say.incomplete or "max_output_tokens"
        self.finish("incomplete" if cut else "completed", reason=reason if cut else None)

    def finish(
        self, status: str, *, reason: str | None = None, error: dict[str, str] | None = None
    ) -> None:
        """Emits the remaining `.done` events and `response.done`. Does nothing the second time."""
        if self.is_done:
            return
        self.is_done = True
        self.is_complete = status == "completed"
        self.output_started.set()
        if self.in_conversation:
            self.conversation.unanswered = self.heard if status == "failed" else None
        if self.in_conversation and status != "cancelled":
            for item in self.answered_items:
                item.answered = True
        details: dict[str, Any] | None = None
        if reason or error:
            details = {"type": status}
            details |= {"reason": reason} if reason else {}
            details |= {"error": error} if error else {}
        if self.writer is not None:
            self.writer.item.audio = min(self.writer.item.audio or self.spoken, self.spoken)
            self.writer.close_item("completed" if status == "completed" else "incomplete")
        read = Tokens() if status == "failed" else self.read
        from_cache = usage.cached(self.conversation.tokens_seen, read)
        report = usage.report(read, self.made, from_cache)
        response = self.to_json(status, details, report)
        self.context.emit(events.event("response.done", response=response))
        self.on_done(self, report)

    def to_json(
        self,
        status: str,
        details: dict[str, Any] | None = None,
        report: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The `response` field of an event."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [self.writer.item.to_json()] if self.writer else [],
            "conversation_id": self.conversation.id if self.in_conversation else None,
            "output_modalities": self.params["output_modalities"],
            "max_output_tokens": self.params["max_output_tokens"],
            "audio": {"output": {name: self.audio[name] for name in ("format", "voice")}},
            "usage": report,
            "metadata": self.params.get("metadata"),
        }


def cost_of(speech: Speech, count: int) -> Tokens:
    """The tokens of the first `count` words of a speech."""
    words = speech.words[:count]
    text = "".join(word.text for word in words)
    whole = count == len(speech.words)
    length = speech.duration if whole else words[-1].end if words else timedelta(0)
    return usage.of_text(text) + usage.of_output_audio(length)
