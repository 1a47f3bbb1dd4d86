"""The output item of a response, from `response.output_item.added` to `response.output_item.done`.

The orders, and the `content` that repeats `part`, are those of recorded live traffic; so is the
`previous_item_id` of null in the `conversation.item.done` of the first response of a conversation.
"""

from typing import TYPE_CHECKING, Any

from local.emulator.call.conversation import Item
from local.emulator.protocol import events, ids

if TYPE_CHECKING:
    from local.emulator.call.response import Response


class OutputItemWriter:
    """What all kinds of output items have in common."""

    delta_event = ""

    def __init__(self, response: "Response", data: dict[str, Any]) -> None:
        self.response = response
        self.item = Item({"id": ids.new("item"), **data})
        self.previous: str | None = None
        self.sent = ""

    @property
    def place(self) -> dict[str, Any]:
        """The fields that say where in the response an event belongs."""
        return {"response_id": self.response.id, "item_id": self.item.id, "output_index": 0}

    def emit(self, kind: str, **fields: Any) -> None:
        self.response.call.emit(events.event(kind, **fields))

    def open(self) -> None:
        """Announces the item, empty."""
        response = self.response
        self.emit(
            "response.output_item.added",
            response_id=response.id,
            output_index=0,
            item=self.item.shown(),
        )
        if response.in_conversation:
            self.previous = response.dialogue.conversation.add(self.item)
            self.emit(
                "conversation.item.added",
                previous_item_id=self.previous,
                item=self.item.shown(),
            )
        self.opened()

    def send(self, text: str) -> None:
        """One delta."""
        self.sent += text
        self.response.call.emit(events.delta(self.delta_event, text, **self.delta_place))

    @property
    def delta_place(self) -> dict[str, Any]:
        return {**self.place, "content_index": 0}

    def close(self, status: str) -> None:
        """The remaining events, for an item that is `completed` or `incomplete`."""
        response = self.response
        self.closing()
        self.item.data["status"] = status
        if response.in_conversation:
            previous = None if response.is_first else self.previous
            self.emit("conversation.item.done", previous_item_id=previous, item=self.item.shown())
        self.emit(
            "response.output_item.done",
            response_id=response.id,
            output_index=0,
            item=self.item.shown(),
        )

    def opened(self) -> None:
        """What follows `conversation.item.added`."""

    def closing(self) -> None:
        """What precedes `conversation.item.done`, and the item's final content."""


class Message(OutputItemWriter):
    """An assistant's message of one part."""

    def __init__(self, response: "Response") -> None:
        super().__init__(
            response,
            {"type": "message", "status": "in_progress", "role": "assistant", "content": []},
        )

    def part(self, text: str) -> dict[str, str]:
        raise NotImplementedError

    def part_event(self, name: str, text: str) -> None:
        self.emit(
            f"response.content_part.{name}",
            **self.delta_place,
            part=self.part(text),
            content=self.part(text),
        )

    def opened(self) -> None:
        self.part_event("added", "")


class TextMessage(Message):
    """An answer in writing."""

    delta_event = "response.output_text.delta"

    def part(self, text: str) -> dict[str, str]:
        return {"type": "text", "text": text}

    def closing(self) -> None:
        self.emit("response.output_text.done", **self.delta_place, text=self.sent)
        self.part_event("done", self.sent)
        self.item.data["content"] = [{"type": "output_text", "text": self.sent}]


class SpokenMessage(Message):
    """An answer in speech, with its transcript. The audio itself goes over the media track."""

    delta_event = "response.output_audio_transcript.delta"

    def part(self, text: str) -> dict[str, str]:
        return {"type": "audio", "transcript": text}

    def closing(self) -> None:
        self.emit("response.output_audio.done", **self.delta_place)
        self.emit("response.output_audio_transcript.done", **self.delta_place, transcript=self.sent)
        self.part_event("done", self.sent)
        self.item.data["content"] = [{"type": "output_audio", "transcript": self.sent}]


class FunctionCall(OutputItemWriter):
    """A call of one of the session's functions."""

    delta_event = "response.function_call_arguments.delta"

    def __init__(self, response: "Response", name: str) -> None:
        call_id = ids.tool_call()
        super().__init__(
            response,
            {
                "type": "function_call",
                "status": "in_progress",
                "name": name,
                "call_id": call_id,
                "arguments": "",
            },
        )

    @property
    def delta_place(self) -> dict[str, Any]:
        return {**self.place, "call_id": self.item.data["call_id"]}

    def closing(self) -> None:
        self.item.data["arguments"] = self.sent
        self.emit(
            "response.function_call_arguments.done",
            **self.delta_place,
            name=self.item.data["name"],
            arguments=self.sent,
        )
