"""One response of the backend: its streaming events in the recorded order, each numbered."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.live import identifiers
from realtime_emulator.live.events import Event
from realtime_emulator.live.token_count import count_tokens
from realtime_emulator.protocol import ids
from realtime_emulator.script.live_reply import FunctionCall

ARGUMENT_PIECES: Final = re.compile(r"\w+|\W+")
TEXT_PIECES: Final = re.compile(r" ?[^\W\d_]+|\d{1,3}|[^\w\s]+[^\W\d_]*|\s|_")
PADDING: Final = 16
NO_TOKENS: Final = {"image_tokens": 0, "text_tokens": 0}
NO_TOOLS: Final = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": NO_TOKENS,
        "output_tokens": 0,
        "output_tokens_details": NO_TOKENS,
        "total_tokens": 0,
    },
    "web_search": {"num_requests": 0},
}
REASONING: Final = {
    "context": "all_turns",
    "effort": "medium",
    "mode": "standard",
    "summary": None,
}
PLAIN_TEXT: Final = {"format": {"type": "text"}, "verbosity": "medium"}
SNAPSHOT: Final[dict[str, Any]] = {
    "id": "",
    "object": "response",
    "created_at": 0,
    "status": "",
    "background": False,
    "completed_at": None,
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "",
    "moderation": None,
    "output": [],
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": "",
    "prompt_cache_retention": "24h",
    "reasoning": REASONING,
    "safety_identifier": None,
    "service_tier": "auto",
    "store": True,
    "temperature": 1.0,
    "text": PLAIN_TEXT,
    "tool_choice": "auto",
    "tool_usage": NO_TOOLS,
    "tools": [],
    "top_logprobs": 0,
    "top_p": 0.98,
    "truncation": "disabled",
    "usage": None,
    "user": None,
    "metadata": {},
}
"""A response in the recorded order of its fields, with what never changes."""


def pad(text: str) -> str:
    """Random letters that hide the length of a delta: both fill a multiple of sixteen."""
    return ids.characters(PADDING - len(text) % PADDING)


class BackendResponse:
    """Emits nested events through `emit`. Snapshots show no instructions, tools or output."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        backend: dict[str, Any],
        *,
        previous_id: str,
        cache_key: str,
        input_tokens: int,
        cached_tokens: int,
    ) -> None:
        self.id = identifiers.response()
        self.emit_nested = emit
        self.backend = backend
        self.previous_id = previous_id
        self.cache_key = cache_key
        self.input_tokens, self.cached_tokens = input_tokens, cached_tokens
        self.output_tokens = 0
        self.created_at = int(time.time())
        self.sequence = 0
        self.outputs = 0

    def emit(self, kind: str, **fields: Any) -> None:
        numbered = {**fields, "sequence_number": self.sequence}
        self.emit_nested({"type": kind, **dict(sorted(numbered.items()))})
        self.sequence += 1

    def begin(self) -> None:
        self.emit("response.created", response=self.snapshot("in_progress"))
        self.emit("response.in_progress", response=self.snapshot("in_progress"))

    def call_function(self, call: FunctionCall) -> str:
        """A function call, from the first event to the last. Returns its `call_id`."""
        item = {
            "id": identifiers.output_item("fc"),
            "type": "function_call",
            "status": "in_progress",
            "arguments": "",
            "call_id": identifiers.call(),
            "name": call.name,
        }
        index = self.next_index()
        place = {"item_id": item["id"], "output_index": index}
        self.emit("response.output_item.added", item=item, output_index=index)
        for piece in ARGUMENT_PIECES.findall(call.arguments):
            self.emit(
                "response.function_call_arguments.delta",
                delta=piece,
                obfuscation=pad(piece),
                **place,
            )
        done = {"arguments": call.arguments, **place}
        self.emit("response.function_call_arguments.done", **done)
        item = {**item, "status": "completed", "arguments": call.arguments}
        self.emit("response.output_item.done", item=item, output_index=index)
        self.output_tokens += count_tokens(call.arguments) + count_tokens(call.name)
        return item["call_id"]

    async def write(self, text: str, pause: timedelta) -> None:
        """A message, the final answer, from the first event to the last, with a pause before each
        of its pieces."""
        index = self.next_index()
        item: Event = {
            "id": identifiers.output_item("msg"),
            "type": "message",
            "status": "in_progress",
            "content": [],
            "phase": "final_answer",
            "role": "assistant",
        }
        place = {"content_index": 0, "item_id": item["id"], "output_index": index}
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        self.emit("response.output_item.added", item=item, output_index=index)
        self.emit("response.content_part.added", **place, part=part)
        for piece in TEXT_PIECES.findall(text):
            padding = pad(piece)
            await asyncio.sleep(pause.total_seconds())
            self.emit(
                "response.output_text.delta",
                **place,
                delta=piece,
                logprobs=[],
                obfuscation=padding,
            )
        part = {**part, "text": text}
        self.emit("response.output_text.done", **place, logprobs=[], text=text)
        self.emit("response.content_part.done", **place, part=part)
        item = {**item, "status": "completed", "content": [part]}
        self.emit("response.output_item.done", item=item, output_index=index)
        self.output_tokens += count_tokens(text)

    def complete(self) -> None:
        self.emit("response.completed", response=self.snapshot("completed"))

    def break_off(self, reason: str) -> None:
        """Ends it incomplete, for example because of `max_output_tokens`."""
        snapshot = self.snapshot("incomplete")
        snapshot["incomplete_details"] = {"reason": reason}
        self.emit("response.incomplete", response=snapshot)

    def next_index(self) -> int:
        self.outputs += 1
        return self.outputs - 1

    def usage(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {
                "cache_write_tokens": self.input_tokens - self.cached_tokens,
                "cached_tokens": self.cached_tokens,
            },
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        }

    def snapshot(self, status: str) -> dict[str, Any]:
        """The `response` field of an event, as recorded."""
        is_over = status != "in_progress"
        tier = self.backend.get("service_tier") or "auto"
        own = {
            "id": self.id,
            "created_at": self.created_at,
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "max_output_tokens": self.backend.get("max_output_tokens"),
            "model": self.backend["model"],
            "parallel_tool_calls": self.backend.get("parallel_tool_calls") is not False,
            "previous_response_id": self.previous_id,
            "prompt_cache_key": self.cache_key,
            "reasoning": {**REASONING, **given(self.backend.get("reasoning"))},
            "service_tier": "default" if is_over and tier == "auto" else tier,
            "text": {**PLAIN_TEXT, **given(self.backend.get("text"))},
            "tool_choice": self.backend["tool_choice"],
            "usage": self.usage() if is_over else None,
        }
        return {**SNAPSHOT, **own}


def given(values: dict[str, Any] | None) -> dict[str, Any]:
    """The values that are not null."""
    return {name: value for name, value in (values or {}).items() if value is not None}
