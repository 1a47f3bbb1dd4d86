"""Server events as JSON objects."""

from __future__ import annotations

from typing import Any

from realtime_emulator.protocol import ids

Event = dict[str, Any]


def event(kind: str, **fields: Any) -> Event:
    """An event of type `kind` with a new `event_id`."""
    return {"type": kind, "event_id": ids.new("event"), **fields}


def buffer_event(kind: str, response_id: str) -> Event:
    """`output_audio_buffer.{kind}`, whose `event_id` has a format of its own."""
    return {
        "type": f"output_audio_buffer.{kind}",
        "event_id": ids.buffer_event(),
        "response_id": response_id,
    }


def delta(kind: str, text: str, **fields: Any) -> Event:
    """An event with a piece of text, and padding that hides its length.

    In recorded live traffic, text and padding together fill a multiple of sixteen characters.
    """
    padding = ids.characters(16 - len(text) % 16)
    return event(kind, **fields, delta=text, obfuscation=padding)


def too_large(event: Event, size: int, largest: int) -> Event:
    """What a caller gets instead of an event that its data channel would not survive."""
    message = f"'{event['type']}' has {size} bytes, and this data channel takes {largest}."
    return error("event_too_large", message, kind="server_error")


def error(
    code: str | None,
    message: str,
    *,
    param: str | None = None,
    event_id: str | None = None,
    kind: str = "invalid_request_error",
) -> Event:
    """An `error` event. `event_id` is that of the client event that caused it."""
    detail = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
    return event("error", error=detail)
