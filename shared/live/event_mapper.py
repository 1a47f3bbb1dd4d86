"""Server events of a Live call -> the lines of its record, as things become final. Pure.

What is said comes from `turn_lines`; everything else has a line of its own. The same event gives
the same line in every run, so that it is in the record once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from shared.live.known_names import known_path, known_word
from shared.live.server_events import (
    BackendResponseDone,
    DelegationCreated,
    FunctionCallDone,
    LiveError,
    SessionClosed,
    SessionEvent,
    SessionNotice,
    TranscriptFragment,
    UsageUpdated,
)
from shared.live.turn_lines import TurnRecorder
from shared.sideband.events import NotUnderstood, ServerEvent
from shared.sideband.unread_events import UnreadEvents
from shared.transcripts.record_lines import RecordLine, StoredLine, format_time

NOTICES = {
    "session.paused": "paused",
    "session.resumed": "resumed",
    "session.input_audio.muted": "muted",
    "session.input_audio.unmuted": "unmuted",
}
FINAL = "final"
"""The key of the `usage` line that says how long the session was."""


class LiveEventMapper:
    """Maps the events of one call in the order they arrive, each once."""

    def __init__(self) -> None:
        self.turns = TurnRecorder()
        self.unread = UnreadEvents()
        self.model: str | None = None
        """The voice model, as the session tells it."""

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        self.turns.resume(lines)

    def start_connection(self, at: datetime) -> None:
        """What comes next may be a repetition."""
        self.turns.filter.start_connection(at)

    @property
    def tail(self) -> str | None:
        """The key of the latest turn."""
        return self.turns.latest_key

    def map_event(self, event: ServerEvent, at: datetime) -> list[RecordLine]:
        """The lines that this event makes final; mostly none."""
        match event:
            case TranscriptFragment():
                return self.turns.add(event, at)
            case SessionEvent():
                model = event.session.get("model")
                self.model = known_word(model) if model else self.model
            case SessionNotice():
                kind, key = NOTICES[event.type], event.event_id or format_time(at)
                return [RecordLine(kind, key, at)]
            case DelegationCreated():
                return [delegation_line(event, at)]
            case FunctionCallDone(is_completed=True):
                return [function_call_line(event, at)]
            case BackendResponseDone():
                return [response_line(event, at)]
            case UsageUpdated() if event.usage:
                key = f"{event.usage.get('seconds', 0):g}"
                return [RecordLine("usage", key, at, dict(event.usage))]
            case SessionClosed():
                return self.lines_of_end(event, at)
            case LiveError():
                return [error_line(event, at)]
            case NotUnderstood():
                return self.unread.lines_of(event, at)
        return []

    def lines_of_end(self, event: SessionClosed, at: datetime) -> list[RecordLine]:
        lines = self.turns.close(at)
        if event.usage:
            lines.append(RecordLine("usage", FINAL, at, {**event.usage, "final": True}))
        return lines

    def advance(self, at: datetime) -> list[RecordLine]:
        """The lines that silence up to now makes final."""
        return self.turns.advance(at)

    def due_in(self, at: datetime) -> timedelta | None:
        """In what time `advance` has something to do; None if it has nothing."""
        return self.turns.due_in(at)

    def close(self, at: datetime) -> list[RecordLine]:
        """The lines of what is still being said, at the end of a run."""
        return self.turns.close(at)


def delegation_line(event: DelegationCreated, at: datetime) -> RecordLine:
    fields: dict[str, Any] = {"target": event.target, "offset_ms": event.offset_ms}
    if event.response_id:
        fields["response_id"] = event.response_id
    return RecordLine("delegation", event.delegation_id, at, fields)


def function_call_line(event: FunctionCallDone, at: datetime) -> RecordLine:
    """What the backend calls: an item of the conversation that only the backend has."""
    fields = {
        "type": "function_call",
        "origin": "model",
        "status": "completed",
        "name": event.name,
        "call_id": event.call_id,
        "arguments": event.arguments,
        **({"cut": ["arguments"]} if event.arguments is None else {}),
    }
    return RecordLine("item", f"call {event.call_id}", at, fields, by="model")


def response_line(event: BackendResponseDone, at: datetime) -> RecordLine:
    not_told = event.reason in (None, "")
    fields = {
        "status": event.status,
        "reason": None if not_told else known_word(event.reason),
        "model": known_word(event.model) if event.model else None,
        "usage": event.usage.counts(),
    }
    return RecordLine("response", event.response_id, at, fields)


def error_line(event: LiveError, at: datetime) -> RecordLine:
    """An error. Many have no code: then their message's meaning stands for it, where we know it."""
    told = event.code or event.meaning
    error = {
        "type": known_word(event.error_type) if event.error_type else None,
        "code": known_word(told) if told else None,
        "param": known_path(event.param),
    }
    return RecordLine("error", event.event_id or format_time(at), at, error)
