"""One response of the model's, from `response.created` to `response.done`."""

import asyncio
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.emulator.call.conversation import Item
from local.emulator.call.output_items import (
    FunctionCall,
    OutputItemWriter,
    SpokenMessage,
    TextMessage,
)
from local.emulator.call.pieces import cost, first_words
from local.emulator.protocol import events, ids, usage
from local.emulator.protocol.usage import Tokens
from local.emulator.script.replies import CallTool, Fail, Prompt, Reply, Say, reply

if TYPE_CHECKING:
    from local.emulator.call.dialogue import Dialogue
    from local.emulator.speech.synthesis import Speech

log = logging.getLogger(__name__)

TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+$")


class Response:
    """Answers what was last said in a dialogue.

    `params` are those of `response.create`, checked; they outweigh the session's.
    """

    def __init__(self, dialogue: "Dialogue", params: dict[str, Any]) -> None:
        self.dialogue = dialogue
        self.call = call = dialogue.call
        self.id = ids.new("resp")
        self.params = {**call.session, **params}
        self.sound = {
            **call.session["audio"]["output"],
            **params.get("audio", {}).get("output", {}),
        }
        self.in_conversation = params.get("conversation", "auto") != "none"
        self.is_first = dialogue.answers == 0
        self.read = dialogue.context(self.params)
        self.made = Tokens()
        self.ladder: OutputItemWriter | None = None
        self.speech: Speech | None = None
        self.spoken = timedelta(0)
        self.done = False
        self.asked: list[Item] = []
        self.begun = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Emits `response.created` and goes to work."""
        self.call.emit(events.event("response.created", response=self.shown("in_progress")))
        self.task = asyncio.get_running_loop().create_task(self.run())

    def cancel(self, reason: str) -> None:
        """Ends it now: `turn_detected` (the caller spoke) or `client_cancelled`."""
        if self.task:
            self.task.cancel()
        if self.speech is not None:
            self.dialogue.output.limit(self.id, self.spoken)
        self.finish("cancelled", reason=reason)

    async def run(self) -> None:
        try:
            answer = await self.choose()
            if answer.stall:
                self.begun.set()
                await asyncio.sleep(answer.stall.total_seconds())
            match answer.action:
                case Fail() as fault:
                    error = {"type": fault.type, "code": fault.code, "message": fault.message}
                    self.finish("failed", error=error)
                case CallTool() as call:
                    await self.call_tool(call)
                case Say() as say:
                    await self.say(say)
        except Exception:
            log.exception("call %s: a response broke", self.call.id)
            self.finish("failed", error={"type": "server_error", "code": "server_error"})
        finally:
            self.begun.set()

    async def choose(self) -> Reply:
        """Looks back for what there is to answer: a function's output, or what the caller has said
        since the last answer. A pause in a sentence makes two items of it."""
        asked = self.asked
        for item in reversed(self.context()):
            if item.data["type"] == "function_call_output" and not asked:
                return self.reply(Prompt(tool_output=item.data["output"]))
            if item.data.get("role") != "user":
                if asked:
                    break
            elif asked and item.answered:
                break
            else:
                asked.insert(0, item)
        if not asked:
            return self.reply(Prompt())
        heard = " ".join([words for item in asked if (words := await item.heard())])
        tools, tool_choice = self.params["tools"], self.params["tool_choice"]
        return self.reply(Prompt(heard, tools=tools, tool_choice=tool_choice))

    def context(self) -> list[Item]:
        given = self.params.get("input")
        if given is None:
            return self.dialogue.conversation.items
        known = {item.id: item for item in self.dialogue.conversation.items}
        return [known.get(data.get("id", ""), Item(data)) for data in given]

    def reply(self, prompt: Prompt) -> Reply:
        return reply(self.call.services.script, prompt)

    async def call_tool(self, action: CallTool) -> None:
        ladder = FunctionCall(self, action.name)
        self.open(ladder)
        await self.write(re.findall(r"\w+|\W", action.arguments))
        self.finish("completed")

    async def say(self, action: Say) -> None:
        if self.params["output_modalities"] == ["text"]:
            pieces = TOKEN.findall(action.text)
            kept = self.room(action, len(pieces), lambda count: Tokens(text=count))
            self.open(TextMessage(self))
            await self.write(pieces[:kept])
            self.end_of(action, cut=kept < len(pieces))
        else:
            await self.speak(action)

    async def write(self, pieces: list[str]) -> None:
        assert self.ladder is not None
        pause = self.call.services.script.time("text_delta_seconds").total_seconds()
        for piece in pieces:
            self.ladder.send(piece)
            self.begun.set()
            await asyncio.sleep(pause)
        self.made = Tokens(text=len(pieces))

    async def speak(self, action: Say) -> None:
        """Deltas in step with the audio: never later than the word is heard, and ahead of it by no
        more than the script's `ahead_seconds`."""
        voice = await self.call.services.voice()
        name = self.sound["voice"]
        whole = await voice.speak(
            action.text,
            voice=name if isinstance(name, str) else "marin",
            speed=self.sound["speed"],
        )
        await self.dialogue.output.quiet()
        words = whole.words
        kept = self.room(action, len(words), lambda count: cost(whole, count))
        speech = self.speech = first_words(whole, kept)
        ladder = self.open(SpokenMessage(self))
        ahead = self.call.services.script.time("ahead_seconds").total_seconds()
        loop = asyncio.get_running_loop()
        began: float | None = None
        for word in speech.words:
            wait = word.start.total_seconds() - ahead
            if wait > 0:
                began = self.play(speech, ladder, loop.time()) if began is None else began
                await asyncio.sleep(max(0.0, began + wait - loop.time()))
            ladder.send(word.text)
            self.begun.set()
            self.spoken = word.end
            self.made = Tokens(text=usage.of_text(ladder.sent).text) + usage.of_speech_made(
                word.end
            )
        if began is None:
            self.play(speech, ladder, loop.time())
        self.spoken = speech.duration
        self.made = cost(speech, len(speech.words))
        self.end_of(action, cut=kept < len(words))

    def play(self, speech: "Speech", ladder: OutputItemWriter, now: float) -> float:
        self.dialogue.conversation.has_spoken = True
        self.dialogue.output.play(speech, self.id, ladder.item)
        return now

    def open(self, ladder: OutputItemWriter) -> OutputItemWriter:
        self.ladder = ladder
        ladder.open()
        return ladder

    def room(self, action: Say, count: int, cost: Any) -> int:
        """How many of `count` words fit `max_output_tokens`; half if the script cuts it short."""
        limit = self.params["max_output_tokens"]
        if action.incomplete:
            count //= 2
        while limit != "inf" and count and cost(count).total > limit:
            count -= 1
        return count

    def end_of(self, action: Say, *, cut: bool) -> None:
        if cut:
            self.finish("incomplete", reason=action.incomplete or "max_output_tokens")
        else:
            self.finish("completed")

    def finish(
        self, status: str, *, reason: str | None = None, error: dict[str, str] | None = None
    ) -> None:
        """The remaining `.done` events and `response.done`; nothing the second time."""
        if self.done:
            return
        self.done = True
        self.begun.set()
        if self.in_conversation and status != "cancelled":
            for item in self.asked:
                item.answered = True
        details: dict[str, Any] | None = None
        if reason or error:
            details = {"type": status}
            details |= {"reason": reason} if reason else {}
            details |= {"error": error} if error else {}
        if self.ladder is not None:
            self.ladder.item.audio = min(self.ladder.item.audio or self.spoken, self.spoken)
            self.ladder.close("completed" if status == "completed" else "incomplete")
        read = Tokens() if status == "failed" else self.read
        report = usage.report(read, self.made, usage.cached(self.dialogue.seen, read))
        self.call.emit(events.event("response.done", response=self.shown(status, details, report)))
        self.dialogue.finished(self, report)

    def shown(
        self,
        status: str,
        details: dict[str, Any] | None = None,
        report: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The `response` of an event."""
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [self.ladder.item.shown()] if self.ladder else [],
            "conversation_id": self.dialogue.conversation.id if self.in_conversation else None,
            "output_modalities": self.params["output_modalities"],
            "max_output_tokens": self.params["max_output_tokens"],
            "audio": {"output": {name: self.sound[name] for name in ("format", "voice")}},
            "usage": report,
            "metadata": self.params.get("metadata"),
        }
