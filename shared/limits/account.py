"""What is counted: one caller's account, and the calls of all callers. Pure.

Each lives in one row of a table. Times are milliseconds since 1970, so that they are written and
compared exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.config.settings import Limits
from shared.storage.interfaces import Value

MINUTE = 60_000
LATE = 10 * MINUTE
"""How long after a call's end its tokens may still be told."""
CHUNK = 30_000
"""Characters of one text property; a table takes 32 Ki."""
EXACT_ENDS = 512
"""So many ends of calls the row of all callers tells apart; beyond, ends are rounded up."""
COARSE = 256


@dataclass(slots=True)
class BookedCall:
    """One booked call of a caller."""

    started: int
    ends: int
    live: bool = True
    counted_at: int = 0
    """The end under which the row of all callers counts it; 0 if it does not."""
    tokens: int = 0
    key: int = 0
    """Set for an ephemeral key that a page has: UNUSED until it registers a call, then USED."""


UNUSED, USED = 1, 2


@dataclass(slots=True)
class Account:
    """What one caller holds and has used. `changed` once an operation has done something."""

    held: dict[str, BookedCall] = field(default_factory=dict)
    day: str = ""
    tokens: int = 0
    changed: bool = False

    @classmethod
    def read(cls, values: Mapping[str, Value]) -> Account:
        """From the values of its row; empty for a caller who has none."""
        held = {name: BookedCall(*rest) for name, *rest in unchunked(values) or []}
        return cls(held, str(values.get("day", "")), int(str(values.get("tokens", 0))))

    def values(self) -> dict[str, Value]:
        """The values of its row."""
        listed = [
            [name, h.started, h.ends, h.live, h.counted_at, h.tokens, h.key]
            for name, h in self.held.items()
        ]
        return {"day": self.day, "tokens": self.tokens, **chunked(listed)}

    def live(self, now: int) -> list[BookedCall]:
        """The calls that count as live now."""
        return [held for held in self.held.values() if held.live and held.ends > now]

    def starts(self, now: int) -> list[int]:
        """When the calls of the last minute were started, the earliest first."""
        return sorted(held.started for held in self.held.values() if held.started > now - MINUTE)

    def used(self, now: int) -> int:
        """The tokens of the day."""
        return self.tokens if self.day == day_of(now) else 0

    def forget(self, now: int, limits: Limits) -> None:
        """Drops what no limit needs any more."""
        late = LATE if limits.tokens_per_day else 0
        self.held = {
            name: held
            for name, held in self.held.items()
            if (held.live and held.ends > now)
            or held.started > now - MINUTE
            or (late and held.ends + late > now)
        }


@dataclass(slots=True)
class GlobalCount:
    """How many calls of all callers end when. Bounded, however many calls there are."""

    ends: dict[int, int] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def read(cls, values: Mapping[str, Value]) -> GlobalCount:
        return cls(dict(unchunked(values) or []))

    def values(self) -> dict[str, Value]:
        return chunked(sorted(self.ends.items()))

    def live(self, now: int) -> int:
        """How many calls count as live now."""
        return sum(number for end, number in self.ends.items() if end > now)

    def add(self, now: int, end: int) -> int:
        """Counts one more until `end`, or a little later; gives the end it is counted under."""
        self.ends = {end: number for end, number in self.ends.items() if end > now}
        if len(self.ends) >= EXACT_ENDS and end not in self.ends:
            grain = max(1, (end - now) // COARSE)
            end = -(-end // grain) * grain
        self.ends[end] = self.ends.get(end, 0) + 1
        self.changed = True
        return end

    def remove(self, end: int) -> None:
        """Counts one less of those that end then."""
        number = self.ends.pop(end, 0)
        if number > 1:
            self.ends[end] = number - 1
        self.changed = True


def span(milliseconds: int) -> timedelta:
    """That long."""
    return timedelta(milliseconds=milliseconds)


def moment(milliseconds: int) -> datetime:
    """The time that many milliseconds after 1970 began."""
    return datetime.fromtimestamp(0, UTC) + span(milliseconds)


def day_of(now: int) -> str:
    """The day in UTC, as in 2026-11-20."""
    return moment(now).date().isoformat()


def until_midnight(now: int) -> timedelta:
    """How long until the next day in UTC."""
    return span(24 * 60 * MINUTE - now % (24 * 60 * MINUTE))


def chunked(content: Any) -> dict[str, Value]:
    """JSON, in as many text properties as it takes."""
    text = json.dumps(content, separators=(",", ":"))
    pieces = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return {f"held{index}": piece for index, piece in enumerate(pieces)}


def unchunked(values: Mapping[str, Value]) -> Any:
    """What `chunked` was given; None if there is nothing."""
    pieces: list[str] = []
    while (piece := values.get(f"held{len(pieces)}")) is not None:
        pieces.append(str(piece))
    return json.loads("".join(pieces)) if pieces else None
