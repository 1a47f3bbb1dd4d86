"""The JSON object in a frame, read in bounded time whatever the frame holds. Pure.

Reading JSON holds the interpreter, so a frame that takes long is not read at all: 512 KiB of the
slowest JSON take about 25 ms.
"""

from __future__ import annotations

import json
import re
from typing import Any

LARGEST_EVENT = 16 * 1024 * 1024
"""In bytes. A retrieved item may carry its audio; of anything longer only the beginning is here."""
LARGEST_READ = 512 * 1024
"""In characters, without audio and images."""
MOST_BRACKETS = 20_000
"""Outside of texts: each begins an object or array, which the garbage collector looks at again and
again."""
TOO_LARGE = "too large"
"""Why a frame is not read that takes long, or that is nested more deeply than Python reads."""
NO_JSON = "JSONDecodeError"
"""Why a frame is not read that is no JSON."""
NO_OBJECT = "not an object"
"""Why JSON is no event."""
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
SPACE = r"\s{0,4}"
SCALAR = r'"[^"\\]{0,200}"|-?[0-9][0-9.eE+-]{0,20}|true|false|null'
TYPE = re.compile(
    rf'{SPACE}\{{{SPACE}(?:"[a-z_]{{1,64}}"{SPACE}:{SPACE}(?:{SCALAR}){SPACE},{SPACE}){{0,8}}'
    rf'"type"{SPACE}:{SPACE}"([a-z_.]{{1,64}})"'
)
"""Of the event itself: what is in its fields may have types of its own, which a page chooses."""
SEARCHED_FOR_TYPE = 1000
"""Characters."""
READER = json.JSONDecoder()


class Unreadable(Exception):
    """The frame is not read, for the `reason` given."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def text_of(frame: str | bytes) -> str:
    """A frame's text; it need not be UTF-8."""
    return frame if isinstance(frame, str) else frame.decode(errors="replace")


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a text. Raises Unreadable."""
    if len(text) > LARGEST_READ or has_too_many_brackets(text):
        raise Unreadable(TOO_LARGE)
    try:
        raw = read_any_number(text)
    except RecursionError:
        raise Unreadable(TOO_LARGE) from None
    except ValueError:
        raise Unreadable(NO_JSON) from None
    if not isinstance(raw, dict):
        raise Unreadable(NO_OBJECT)
    return raw


def read_any_number(text: str) -> Any:
    """The JSON in a text. Raises ValueError, RecursionError."""
    try:
        return READER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        # Python makes no whole number of more than 4,300 digits.
        return json.loads(text, parse_int=float)


def has_too_many_brackets(text: str) -> bool:
    """Whether an event consists of too many objects and arrays. A page chooses its texts, so the
    brackets in them do not count."""
    if len(text) <= MOST_BRACKETS or text.count("[") + text.count("{") <= MOST_BRACKETS:
        return False
    outside = STRING.sub("", text)
    return outside.count("[") + outside.count("{") > MOST_BRACKETS


def type_at_the_beginning(frame: str | bytes) -> str:
    """The type of an event that cannot be read; "" unless it stands before all nested fields."""
    found = TYPE.match(text_of(frame[: 4 * SEARCHED_FOR_TYPE]), 0, SEARCHED_FOR_TYPE)
    return found[1] if found else ""
