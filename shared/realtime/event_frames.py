"""A frame of the Realtime sideband -> a server event, in bounded time. Pure.

Large events are retrieved items with audio or images, which nobody here wants.
"""

from __future__ import annotations

from typing import Any

from shared.realtime.server_event_parser import PARSERS, parse_server_event
from shared.sideband.events import NotUnderstood, ServerEvent
from shared.sideband.json_frames import (
    LARGEST_EVENT,
    LARGEST_READ,
    NO_OBJECT,
    TOO_LARGE,
    Unreadable,
    read_object,
    text_of,
    type_at_the_beginning,
)

MEDIA = ('"audio":"', '"audio": "', '"image_url":"', '"image_url": "')
MEDIA_PARTS = 256
WITH_MEDIA = "conversation.item."
"""How the types of events begin whose audio and images are left out. In a session, a page names
fields as it likes."""


def read_frame(frame: str | bytes) -> ServerEvent:
    """The event in a frame; `NotUnderstood` for whatever is not one."""
    if len(frame) > LARGEST_EVENT:
        return unread(frame, TOO_LARGE)
    text = text_of(frame)
    is_shortened = len(text) > LARGEST_READ
    if is_shortened:
        text = without_media(text)
    try:
        raw = read_object(text)
    except Unreadable as error:
        return unread(text, error.reason)
    if is_shortened and not str(raw.get("type")).startswith(WITH_MEDIA):
        return NotUnderstood(known_type(raw.get("type")), TOO_LARGE)
    return parse_server_event(raw)


def unread(frame: str | bytes, reason: str) -> NotUnderstood:
    """The event in a frame that is not read; of its type, if it is one that we parse."""
    kind = "" if reason == NO_OBJECT else known_type(type_at_the_beginning(frame))
    return NotUnderstood(kind, reason)


def without_media(text: str) -> str:
    """The text of an event with empty audio and images. Base64 has no quotes, so each ends at the
    next one."""
    left = MEDIA_PARTS
    for name in MEDIA:
        if name not in text:
            continue
        kept, done = [], 0
        while left and (found := text.find(name, done)) >= 0:
            start = found + len(name)
            end = text.find('"', start)
            if end < 0:
                break
            kept.append(text[done:start])
            done, left = end, left - 1
        text = "".join([*kept, text[done:]])
    return text


def known_type(kind: Any) -> str:
    return kind if isinstance(kind, str) and kind in PARSERS else ""
