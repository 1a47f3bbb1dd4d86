"""Which events two sidebands of one call have both brought. Pure.

Every sideband of a call gets the call's events in the same order. So what an earlier run has
handled last is what a later one, connected meanwhile, has got first. Event ids are left out:
whether two sidebands get the same is not documented.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.sideband.events import ErrorEvent, ServerEvent

NONE = -1
"""Of an event that only the sideband gets that caused it."""


def fingerprint(event: ServerEvent) -> int:
    """A number that equal events have in every process, `NONE` for errors."""
    if isinstance(event, ErrorEvent):
        return NONE
    nameless: Any = event
    if getattr(event, "event_id", None) is not None:
        nameless = replace(nameless, event_id=None)
    return zlib.crc32(repr(nameless).encode(errors="replace"))


def handled_before(handled: Sequence[int], events: Sequence[int]) -> int:
    """How many of the first `events` are the last ones of `handled`, both as fingerprints."""
    kept = [(place, number) for place, number in enumerate(events, 1) if number != NONE]
    numbers = [number for _, number in kept]
    last = [number for number in handled if number != NONE]
    for length in range(min(len(numbers), len(last)), 0, -1):
        if numbers[:length] == last[-length:]:
            return kept[length - 1][0]
    return 0


def to_text(fingerprints: Sequence[int]) -> str:
    """Fingerprints as a column of a row."""
    return "".join(f"{number:08x}" for number in fingerprints if number != NONE)


def from_text(text: str) -> list[int]:
    """What `to_text` gave; nothing for any other text."""
    try:
        return [int(text[place : place + 8], 16) for place in range(0, len(text), 8)]
    except ValueError:
        return []
