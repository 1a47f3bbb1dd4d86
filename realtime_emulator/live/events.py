"""Server events of the Live API as JSON objects, with their keys in the recorded order."""

from __future__ import annotations

from typing import Any

from realtime_emulator.protocol import ids

Event = dict[str, Any]

CLOSED = "session.closed"
STARTED = "session.started"
INPUT_AUDIO = "session.input_audio.append"
OUTPUT_AUDIO = "session.output_audio.delta"
ID_FIRST = ("session.started", "session.updated", "response.event", "error", "info")


def event(kind: str, client_event_id: str | None = None, **fields: Any) -> Event:
    """An event of type `kind` with a new `event_id`. `client_event_id` is that of the client event
    that it answers."""
    named = {"event_id": ids.new("event")}
    out = {**named, "type": kind, **fields} if kind in ID_FIRST else {"type": kind, **fields}
    out.update(named)
    if client_event_id is not None:
        out["client_event_id"] = client_event_id
    return out


def error(
    code: str | None,
    message: str,
    *,
    param: str | None = None,
    client_event_id: str | None = None,
    kind: str = "invalid_request_error",
) -> Event:
    """An `error` event, which ends nothing."""
    detail: Event = {"type": kind, "code": code, "message": message}
    if param is not None:
        detail["param"] = param
    if client_event_id is not None:
        detail["client_event_id"] = client_event_id
    return event("error", client_event_id, error=detail)


def transcript(kind: str, text: str, start_ms: int, end_ms: int) -> Event:
    """`session.{kind}_transcript.delta`; `kind` is `input` or `output`."""
    return event(f"session.{kind}_transcript.delta", start_ms=start_ms, end_ms=end_ms, delta=text)


def response_event(delegation_id: str, nested: Event) -> Event:
    """A streaming event of the backend's response."""
    return event("response.event", delegation_id=delegation_id, event=nested)
