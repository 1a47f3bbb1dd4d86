"""A frame of the sideband -> a server event, in bounded time, whatever the frame holds. Pure.

Reading JSON holds the interpreter, so a frame that takes long is not read at all: 512 KiB of the
slowest JSON take about 25 ms. Larger events are retrieved items with audio or images, which nobody
here wants.
"""

from __future__ import annotations

import json
import re
from typing import Any

from shared.realtime.server_event_parser import PARSERS, parse_server_event
from shared.realtime.server_events import NotUnderstood, ServerEvent

LARGEST_READ = 512 * 1024
"""In characters, without audio and images."""
MOST_BRACKETS = 20_000
"""Outside of texts: each begins an object or array, which the garbage collector looks at again and
again."""
TOO_LARGE = "too large"
"""Why a frame is not read that takes long, or that is nested more deeply than Python reads."""
NO_JSON = "JSONDecodeError"
"""Why a frame is not read that is no JSON."""
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
MEDIA = ('"audio":"', '"audio": "', '"image_url":"', '"image_url": "')
MEDIA_PARTS = 256
WITH_MEDIA = "conversation.item."
"""How the types of events begin whose audio and images are left out. In a session, a page names
fields as it likes."""
TYPE = re.compile(r'"type"\s{0,4}:\s{0,4}"([a-z_.]{1,64})"')


def read_frame(frame: str | bytes) -> ServerEvent:
    """The event in a frame; `NotUnderstood` for whatever is not one."""
    text = frame if isinstance(frame, str) else frame.decode(errors="replace")
    is_shortened = len(text) > LARGEST_READ
    if is_shortened:
        text = without_media(text)
    if len(text) > LARGEST_READ or has_too_many_brackets(text):
        return NotUnderstood(type_at_the_beginning(text), TOO_LARGE)
    try:
        raw = read_any_number(text)
    except RecursionError:
        return NotUnderstood(type_at_the_beginning(text), TOO_LARGE)
    except ValueError:
        return NotUnderstood(type_at_the_beginning(text), NO_JSON)
    if not isinstance(raw, dict):
        return NotUnderstood("", "not an object")
    if is_shortened and not str(raw.get("type")).startswith(WITH_MEDIA):
        return NotUnderstood(known_type(raw.get("type")), TOO_LARGE)
    return parse_server_event(raw)


def read_any_number(text: str) -> Any:
    """The JSON in a text. Raises ValueError, RecursionError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python makes no whole number of more than 4,300 digits.
        return json.loads(text, parse_int=float)


def unread_frame(beginning: bytes) -> NotUnderstood:
    """The event in a frame of which only the beginning was kept."""
    return NotUnderstood(
        type_at_the_beginning(beginning[:1000].decode(errors="replace")), TOO_LARGE
    )


def has_too_many_brackets(text: str) -> bool:
    """Whether an event consists of too many objects and arrays. A page chooses its texts, so the
    brackets in them do not count."""
    if text.count("[") + text.count("{") <= MOST_BRACKETS:
        return False
    outside = STRING.sub("", text)
    return outside.count("[") + outside.count("{") > MOST_BRACKETS


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


def type_at_the_beginning(text: str) -> str:
    """The type of an event that cannot be read, if it is one that we parse."""
    found = TYPE.search(text, 0, 1000)
    return known_type(found[1]) if found else ""


def known_type(kind: Any) -> str:
    return kind if isinstance(kind, str) and kind in PARSERS else ""
