"""Server events of a call -> the lines of its record, as things become final. Pure.

What the events say, from recorded live traffic: `conversation.item.added` names the item before it;
the `previous_item_id` of `.done` is null in the first response of a conversation whatever stands
before, so a null counts only in `.added`. The caller's words come after the answer has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.core.bounded import BoundedDict
from shared.core.untrusted import TEXT_CHARACTERS
from shared.realtime.failures import failure_code
from shared.realtime.item_keys import REMEMBERED, ItemKeys, ItemMemory
from shared.realtime.item_origins import ADDED_BY_SERVICE, CALLER, PAGE, ItemOrigins
from shared.realtime.known_names import known_code, known_path, known_type
from shared.realtime.line_fields import (
    approval_fields,
    kind_of,
    lines_of_input_transcript,
    text_fields,
)
from shared.realtime.response_lines import ResponseLines
from shared.realtime.server_events import (
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
    SessionEvent,
)
from shared.realtime.session_models import SessionModels
from shared.realtime.stated_origins import StatedOrigins
from shared.realtime.turn_clock import TurnClock
from shared.sideband.events import ErrorEvent, NotUnderstood, ServerEvent
from shared.sideband.unread_events import UnreadEvents
from shared.transcripts.record_lines import LATENCY, RecordLine, StoredLine

NOT_TOLD: Any = object()
TEXTS_AT_ONCE = 32
"""Answers that are being given at the same time."""


class EventMapper:
    """Maps the events of one call in the order they arrive."""

    def __init__(self) -> None:
        self.tail: str | None = None
        """The key of the latest item of the conversation."""
        self.models = SessionModels()
        self.keys = ItemKeys()
        self.origins = ItemOrigins(self.keys)
        self.placed: ItemMemory[bool] = ItemMemory(self.keys.made_keys)
        self.stated = StatedOrigins(self.keys, self.origins)
        self.before_probe: BoundedDict[str, str | None] = BoundedDict(REMEMBERED)
        """By the id of a probe, the item before it."""
        self.partial_text: BoundedDict[str, str] = BoundedDict(TEXTS_AT_ONCE)
        """By the key of an item, what it says so far."""
        self.lacks_words: ItemMemory[bool] = ItemMemory(self.keys.made_keys)
        """Of items whose content is recorded: whether it was without words."""
        self.responses = ResponseLines()
        self.unread = UnreadEvents()
        self.turns = TurnClock()

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        for line in lines:
            if line.kind == "placed":
                self.placed[line.key] = True
                self.tail = line.key
            elif line.kind == "item":
                self.lacks_words[line.key] = not line.fields.get("text")
            elif line.kind == "said":
                self.lacks_words[line.key] = False
            elif line.kind == "sent":
                self.origins.resume(line.key, probe=line.fields.get("what") == "probe")
            elif line.kind == "response":
                self.responses.resume(line)
            elif line.kind == "deleted":
                self.keys.deleted.add(line.key)
            if line.kind in ("placed", "item", "deleted", "origin", "sent"):
                self.keys.resume(line.key)
            self.stated.resume(line)

    def map_event(self, event: ServerEvent, at: datetime) -> list[RecordLine]:
        """The lines that this event makes final; mostly none."""
        if type(event) is OutputTextDelta:
            return self.map_delta(event, at)
        proven = self.origins.observe_event(event)
        lines = [*self.lines_of_content(event, at), *self.stated.lines_of(proven, at)]
        return [*lines, *self.lines_of_turn(event, at)]

    def lines_of_turn(self, event: ServerEvent, at: datetime) -> list[RecordLine]:
        """How long the caller has waited, once an answer sounds."""
        answered = self.turns.time_event(event, at)
        if answered is None:
            return []
        item_id, fields = answered.item_id, {"ms": answered.latency_ms}
        about = {"item": self.keys.made_key_of(item_id)} if item_id else {}
        return [RecordLine(LATENCY, answered.response_id, at, {**fields, **about})]

    def lines_of_content(self, event: ServerEvent, at: datetime) -> list[RecordLine]:
        match event:
            case OutputTextDone():
                key = self.keys.made_key_of(event.item_id)
                self.partial_text[key] = event.text
                return self.complete_words(key, event.text, at)
            case ItemAdded() | ItemCreated():
                return self.map_item_added(event, at)
            case ItemDone():
                return self.map_item_done(event, at)
            case ItemRetrieved():
                return self.map_item_retrieved(event, at)
            case OutputItemDone():
                return self.finish_item(event.item, self.keys.made_key_of(event.item.id), at)
            case ItemTruncated():
                key, by = self.keys.key_of(event.item_id), self.origins.truncated_by
                if by == PAGE:
                    # It says how much is to be kept, not how much was heard.
                    return [RecordLine("truncated", key, at, {"ms": event.audio_end_ms}, by=by)]
                heard = {"ms": event.audio_end_ms, "text": self.partial_text.get(key)}
                fields = {**heard, "interrupted_by": by}
                return [RecordLine("heard", key, at, fields, by=self.stated.of(key))]
            case ItemDeleted():
                return self.map_item_deleted(event.item_id, at)
            case InputTranscribed(item_id=item_id):
                key = self.keys.made_key_of(item_id)
                model = self.models.transcription
                return lines_of_input_transcript(event, key, at, CALLER, model)
            case InputTranscriptionFailed(item_id=item_id):
                key = self.keys.made_key_of(item_id)
                failed = {"text": None, "failed": failure_code(event.code, event.error_type)}
                return [RecordLine("words", key, at, failed, by=CALLER)]
            case ResponseDone():
                return self.map_response_done(event, at)
            case SessionEvent():
                self.models.note_session(event.session)
            case ErrorEvent():
                error = {
                    "type": known_type(event.error_type),
                    "code": known_code(event.code),
                    "param": known_path(event.param),
                }
                return [RecordLine("error", str(event.event_id), at, error)]
            case NotUnderstood():
                return self.unread.lines_of(event, at)
        return []

    def map_item_added(self, event: ItemAdded | ItemCreated, at: datetime) -> list[RecordLine]:
        item = event.item
        self.keys.note_added(event)
        if self.is_own_probe(item.id):
            self.before_probe[item.id] = event.previous_item_id
            return []
        self.before_probe.pop(item.id, None)
        seen_added = item.type not in ADDED_BY_SERVICE
        return self.place_item(item, event.previous_item_id, at, seen_added=seen_added)

    def is_own_probe(self, item_id: str) -> bool:
        """Whether the item that has this id now is a probe of ours."""
        return self.keys.key_of(item_id) in self.origins.probes

    def map_item_done(self, event: ItemDone, at: datetime) -> list[RecordLine]:
        item, previous = event.item, event.previous_item_id
        if self.origins.is_probe(item):
            return []
        lines = self.place_item(item, previous, at) if previous else []
        return lines + self.finish_item(item, self.keys.key_of(item.id), at)

    def map_item_retrieved(self, event: ItemRetrieved, at: datetime) -> list[RecordLine]:
        item = event.item
        if self.origins.is_probe(item):
            return []
        lines = self.place_item(item, event.previous_item_id or NOT_TOLD, at)
        if item.status == "in_progress":
            return lines
        return lines + self.finish_item(item, self.keys.key_of(item.id), at)

    def map_item_deleted(self, item_id: str, at: datetime) -> list[RecordLine]:
        key = self.keys.note_taken(item_id)
        if key in self.origins.probes:
            return []
        self.keys.deleted.add(key)
        return [RecordLine("deleted", key, at, by=self.stated.of(key))]

    def map_response_done(self, event: ResponseDone, at: datetime) -> list[RecordLine]:
        lines: list[RecordLine] = []
        for item in event.output:
            # An observer may have come just before the end.
            key = self.keys.made_key_of(item.id)
            if item.status != "in_progress":
                lines += self.finish_item(item, key, at)
            self.partial_text.pop(key, None)
        return [*lines, *self.responses.lines_of(event, self.models.model, at)]

    def place_item(
        self, item: Item, previous: Any, at: datetime, *, seen_added: bool = False
    ) -> list[RecordLine]:
        """Where an item stands, once: after `previous`, None for the front."""
        key = self.keys.key_of(item.id)
        if key in self.placed:
            return []
        if isinstance(previous, str):
            previous = self.before_probe.get(previous, previous)
        if isinstance(previous, str):
            previous = self.keys.key_of(previous)
        inserted = previous in self.placed and previous != self.tail
        if not inserted or self.tail in self.keys.deleted:
            self.tail = key
        self.placed[key] = True
        # The model's items are in progress when they are added; nobody else's need be.
        origin = self.stated.state(key, seen_added and item.status != "in_progress")
        fields: dict[str, Any] = {**kind_of(item), "origin": origin}
        if previous is not NOT_TOLD:
            fields["previous"] = previous
        return [RecordLine("placed", key, at, fields, by=origin)]

    def finish_item(self, item: Item, key: str, at: datetime) -> list[RecordLine]:
        """An item's final content, once."""
        text = item.text or self.partial_text.get(key)
        if key in self.lacks_words:
            return self.complete_words(key, text, at)
        self.lacks_words[key] = not text
        seen_added = self.keys.is_present(item.id) and item.type not in ADDED_BY_SERVICE
        origin = self.stated.state(key, seen_added)
        fields: dict[str, Any] = {**kind_of(item), "origin": origin}
        told = {
            "status": item.status,
            "name": item.name,
            "arguments": item.arguments,
            "call_id": item.call_id,
            "output": item.output,
            "server_label": item.server_label,
            **approval_fields(item),
        }
        fields |= {name: each for name, each in told.items() if each is not None}
        if item.type == "message":
            fields["text"] = text or None
        if item.cut:
            fields["cut"] = list(item.cut)
        if key not in self.placed and self.tail:
            # A response outside the conversation: nothing names what it follows.
            fields["after"] = self.tail
        return [RecordLine("item", key, at, fields, by=origin)]

    def complete_words(self, key: str, text: str | None, at: datetime) -> list[RecordLine]:
        """The words of an item whose content is recorded already, if it was without."""
        if not text or not self.lacks_words.get(key, False):
            return []
        self.lacks_words[key] = False
        by = self.stated.of(key)
        return [RecordLine("said", key, at, text_fields(text), by=by)]

    def map_delta(self, event: OutputTextDelta, at: datetime) -> list[RecordLine]:
        """Most of what comes: it only adds to what an item of the model's says so far."""
        key = self.keys.made_key_of(event.item_id)
        self.origins.note_model(key)
        if key not in self.lacks_words:
            text = self.partial_text.get(key, "") + event.delta
            self.partial_text[key] = text[:TEXT_CHARACTERS]
        return self.stated.lines_of((key,), at)
