"""A frame of the Live sideband -> an event's type, and what an error says: all that the end of a
session and an admin's event need. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.sideband.events import ErrorEvent, NotUnderstood, OtherEvent, Scalar, ServerEvent
from shared.sideband.json_frames import Unreadable, read_object, text_of, type_at_the_beginning

AUDIO = ("session.input_audio.append", "session.output_audio.delta")


def read_plain_frame(frame: str | bytes) -> ServerEvent:
    """The event in a frame, by its type; `NotUnderstood` for whatever is not one."""
    if (kind := type_at_the_beginning(frame)) in AUDIO:
        return OtherEvent(kind)
    try:
        content = read_object(text_of(frame))
    except Unreadable as unreadable:
        return NotUnderstood("", unreadable.reason)
    kind = text_in(content, "type") or ""
    if kind != "error":
        return OtherEvent(kind) if kind else NotUnderstood("", "no type")
    found = content.get("error")
    error = found if isinstance(found, Mapping) else {}
    caused_by = text_in(error, "client_event_id") or text_in(content, "client_event_id")
    return ErrorEvent(
        kind,
        text_in(content, "event_id"),
        scalar_in(error, "type"),
        scalar_in(error, "code"),
        scalar_in(error, "param"),
        caused_by,
    )


def text_in(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    return value if isinstance(value, str) else None


def scalar_in(content: Mapping[str, Any], name: str) -> Scalar:
    value = content.get(name)
    return value if isinstance(value, str | int | float) else None
