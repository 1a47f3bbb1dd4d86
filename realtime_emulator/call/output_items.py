"""The output item of a response, from `response.output_item.added` to `response.output_item.done`.

The order of events and the `content` that repeats `part` are those of recorded live traffic. So is
the `previous_item_id` of null in the `conversation.item.done` of a conversation's first response.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Conversation, Item
from realtime_emulator.protocol import events, ids


@dataclass(frozen=True, slots=True)
class ItemTarget:
    """The response that an item belongs to, and the conversation that it joins, if any."""

    response_id: str
    conversation: Conversation | None
    is_first_response: bool


class OutputItemWriter:
    """Emits the events of one output item; subclasses add those of its kind."""

    delta_event = ""

    def __init__(self, context: CallContext, target: ItemTarget, data: dict[str, Any]) -> None:
        self.context = context
        self.target = target
        self.item = Item({"id": ids.new("item"), **data})
        self.previous: str | None = None
        self.sent = ""

    @property
    def place(self) -> dict[str, Any]:
        """The fields that say which item of which response an event is about."""
        return {"response_id": self.target.response_id, "item_id": self.item.id, "output_index": 0}

    @property
    def delta_place(self) -> dict[str, Any]:
        return {**self.place, "content_index": 0}

    def emit(self, kind: str, **fields: Any) -> None:
        self.context.emit(events.event(kind, **fields))

    def open_item(self) -> None:
        """Announces the item, which is still empty."""
        self.emit(
            "response.output_item.added",
            response_id=self.target.response_id,
            output_index=0,
            item=self.item.to_json(),
        )
        if self.target.conversation is not None:
            self.previous = self.target.conversation.add_item(self.item)
            self.emit(
                "conversation.item.added",
                previous_item_id=self.previous,
                item=self.item.to_json(),
            )
        self.open_content()

    def send_delta(self, text: str) -> None:
        self.sent += text
        self.context.emit(events.delta(self.delta_event, text, **self.delta_place))

    def close_item(self, status: str) -> None:
        """Emits the remaining events of an item that is `completed` or `incomplete`."""
        self.close_content()
        self.set_status(status)
        if self.target.conversation is not None:
            previous = None if self.target.is_first_response else self.previous
            self.emit("conversation.item.done", previous_item_id=previous, item=self.item.to_json())
        self.emit(
            "response.output_item.done",
            response_id=self.target.response_id,
            output_index=0,
            item=self.item.to_json(),
        )

    def set_status(self, status: str) -> None:
        self.item.data["status"] = status

    def open_content(self) -> None:
        """Emits what follows `conversation.item.added`."""

    def close_content(self) -> None:
        """Emits what precedes `conversation.item.done`, and sets the item's final content."""


class Message(OutputItemWriter, ABC):
    """An assistant's message with one content part."""

    def __init__(self, context: CallContext, target: ItemTarget) -> None:
        super().__init__(
            context,
            target,
            {"type": "message", "status": "in_progress", "role": "assistant", "content": []},
        )

    @abstractmethod
    def part(self, text: str) -> dict[str, str]:
        """The content part that holds `text`."""

    def emit_part(self, name: str, text: str) -> None:
        self.emit(
            f"response.content_part.{name}",
            **self.delta_place,
            part=self.part(text),
            content=self.part(text),
        )

    def open_content(self) -> None:
        self.emit_part("added", "")


class TextMessage(Message):
    """A message in writing."""

    delta_event = "response.output_text.delta"

    def part(self, text: str) -> dict[str, str]:
        return {"type": "text", "text": text}

    def close_content(self) -> None:
        self.emit("response.output_text.done", **self.delta_place, text=self.sent)
        self.emit_part("done", self.sent)
        self.item.data["content"] = [{"type": "output_text", "text": self.sent}]


class SpokenMessage(Message):
    """A spoken message's transcript. The audio itself goes over the media track."""

    delta_event = "response.output_audio_transcript.delta"

    def part(self, text: str) -> dict[str, str]:
        return {"type": "audio", "transcript": text}

    def close_content(self) -> None:
        self.emit("response.output_audio.done", **self.delta_place)
        self.emit("response.output_audio_transcript.done", **self.delta_place, transcript=self.sent)
        self.emit_part("done", self.sent)
        self.item.data["content"] = [{"type": "output_audio", "transcript": self.sent}]


class FunctionCall(OutputItemWriter):
    """A call of one of the session's functions."""

    delta_event = "response.function_call_arguments.delta"

    def __init__(self, context: CallContext, target: ItemTarget, name: str) -> None:
        super().__init__(
            context,
            target,
            {
                "type": "function_call",
                "status": "in_progress",
                "name": name,
                "call_id": ids.tool_call(),
                "arguments": "",
            },
        )

    @property
    def delta_place(self) -> dict[str, Any]:
        return {**self.place, "call_id": self.item.data["call_id"]}

    def close_content(self) -> None:
        self.item.data["arguments"] = self.sent
        self.emit(
            "response.function_call_arguments.done",
            **self.delta_place,
            name=self.item.data["name"],
            arguments=self.sent,
        )
