"""Server events of a call -> the lines of its record, as things become final. Pure.

What the events say, from recorded live traffic: `conversation.item.added` names the item before it;
the `previous_item_id` of `.done` is null in the first response of a conversation whatever stands
before, so a null counts only in `.added`. The caller's words come after the answer has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.realtime.server_events import (
    ErrorEvent,
    InputTranscribed,
    InputTranscriptionFailed,
    Item,
    ItemAdded,
    ItemCreated,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ItemTruncated,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ResponseDone,
    ServerEvent,
    SessionEvent,
)
from shared.transcripts.record_lines import RecordLine, StoredLine

PROBE = "probe_"
"""The prefix of ids of items that an observer adds only to learn what stands before them."""
UNKNOWN: Any = object()
TEXT_CHARACTERS = 100_000


class EventMapper:
    """Maps the events of one call in the order they arrive."""

    def __init__(self) -> None:
        self.tail: str | None = None
        """The latest item of the conversation."""
        self.model: str | None = None
        self.placed: set[str] = set()
        self.deleted: set[str] = set()
        self.before_probe: dict[str, str | None] = {}
        """By the id of a probe, the item before it."""
        self.partial_text: dict[str, str] = {}
        """By the id of an item, what it says so far."""
        self.lacks_words: dict[str, bool] = {}
        """Of items whose content is recorded: whether it was without words."""

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        for line in lines:
            if line.kind == "placed":
                self.placed.add(line.key)
                self.tail = line.key
            elif line.kind == "item":
                self.lacks_words[line.key] = not line.fields.get("text")
            elif line.kind == "said":
                self.lacks_words[line.key] = False

    def map_event(self, event: ServerEvent, at: datetime) -> list[RecordLine]:
        """The lines that this event makes final; mostly none."""
        match event:
            case OutputTextDelta():
                self.append_text(event)
            case OutputTextDone():
                self.partial_text[event.item_id] = event.text[:TEXT_CHARACTERS]
                return self.complete_words(event.item_id, event.text, at)
            case ItemAdded() | ItemCreated():
                return self.map_item_added(event, at)
            case ItemDone():
                return self.map_item_done(event, at)
            case ItemRetrieved():
                return self.map_item_retrieved(event, at)
            case OutputItemDone():
                return self.finish_item(event.item, at)
            case ItemTruncated(item_id=item_id):
                fields = {"ms": event.audio_end_ms, "text": self.partial_text.get(item_id)}
                return [RecordLine("heard", item_id, at, fields)]
            case ItemDeleted(item_id=item_id) if not item_id.startswith(PROBE):
                self.deleted.add(item_id)
                return [RecordLine("deleted", item_id, at)]
            case InputTranscribed():
                return lines_of_input_transcript(event, at)
            case InputTranscriptionFailed():
                failed = {"text": None, "failed": event.code or "unknown"}
                return [RecordLine("words", event.item_id, at, failed)]
            case ResponseDone():
                return self.map_response_done(event, at)
            case SessionEvent():
                self.model = event.session.get("model") or self.model
            case ErrorEvent():
                error = {"type": event.error_type, "code": event.code, "param": event.param}
                return [RecordLine("error", str(event.event_id), at, error)]
        return []

    def map_item_added(self, event: ItemAdded | ItemCreated, at: datetime) -> list[RecordLine]:
        if event.item.id.startswith(PROBE):
            self.before_probe[event.item.id] = event.previous_item_id
            return []
        return self.place_item(event.item, event.previous_item_id, at)

    def map_item_done(self, event: ItemDone, at: datetime) -> list[RecordLine]:
        item, previous = event.item, event.previous_item_id
        if item.id.startswith(PROBE):
            return []
        lines = self.place_item(item, previous, at) if previous else []
        return lines + self.finish_item(item, at)

    def map_item_retrieved(self, event: ItemRetrieved, at: datetime) -> list[RecordLine]:
        item = event.item
        if item.id.startswith(PROBE):
            return []
        lines = self.place_item(item, event.previous_item_id or UNKNOWN, at)
        return lines if item.status == "in_progress" else lines + self.finish_item(item, at)

    def map_response_done(self, event: ResponseDone, at: datetime) -> list[RecordLine]:
        lines: list[RecordLine] = []
        for item in event.output:
            # An observer may have come just before the end.
            if item.status != "in_progress":
                lines += self.finish_item(item, at)
            self.partial_text.pop(item.id, None)
        fields = {
            "status": event.status,
            "reason": event.reason,
            "model": self.model,
            "usage": event.usage.counts(),
        }
        return [*lines, RecordLine("response", event.response_id, at, fields)]

    def place_item(self, item: Item, previous: Any, at: datetime) -> list[RecordLine]:
        """Where an item stands, once: after `previous`, None for the front."""
        if item.id in self.placed:
            return []
        if isinstance(previous, str) and previous.startswith(PROBE):
            previous = self.before_probe.get(previous, UNKNOWN)
        inserted = previous in self.placed and previous != self.tail
        if not inserted or self.tail in self.deleted:
            self.tail = item.id
        self.placed.add(item.id)
        fields: dict[str, Any] = kind_of(item)
        if previous is not UNKNOWN:
            fields["previous"] = previous
        return [RecordLine("placed", item.id, at, fields)]

    def finish_item(self, item: Item, at: datetime) -> list[RecordLine]:
        """An item's final content, once."""
        text = item.text[:TEXT_CHARACTERS] or self.partial_text.get(item.id)
        if item.id in self.lacks_words:
            return self.complete_words(item.id, text, at)
        self.lacks_words[item.id] = not text
        fields: dict[str, Any] = kind_of(item)
        told = {
            "status": item.status,
            "name": item.name,
            "arguments": item.arguments,
            "call_id": item.call_id,
            "output": item.output,
            "server_label": item.server_label,
        }
        fields |= {name: each[:TEXT_CHARACTERS] for name, each in told.items() if each is not None}
        if item.type == "message":
            fields["text"] = text or None
        if item.id not in self.placed and self.tail:
            # A response outside the conversation: nothing names what it follows.
            fields["after"] = self.tail
        return [RecordLine("item", item.id, at, fields)]

    def complete_words(self, item_id: str, text: str | None, at: datetime) -> list[RecordLine]:
        """The words of an item whose content is recorded already, if it was without."""
        if not text or not self.lacks_words.get(item_id):
            return []
        self.lacks_words[item_id] = False
        return [RecordLine("said", item_id, at, {"text": text[:TEXT_CHARACTERS]})]

    def append_text(self, event: OutputTextDelta) -> None:
        if event.item_id not in self.lacks_words:
            text = self.partial_text.get(event.item_id, "") + event.delta
            self.partial_text[event.item_id] = text[:TEXT_CHARACTERS]


def lines_of_input_transcript(event: InputTranscribed, at: datetime) -> list[RecordLine]:
    """The caller's words, and what it took to recognise them."""
    text = event.transcript.strip()[:TEXT_CHARACTERS]
    lines = [RecordLine("words", event.item_id, at, {"text": text})]
    if event.usage is not None:
        lines.append(RecordLine("transcription", event.item_id, at, event.usage))
    return lines


def kind_of(item: Item) -> dict[str, Any]:
    told = {"type": item.type, "role": item.role}
    return {name: value for name, value in told.items() if value}
