"""What is counted of all callers together: their live calls, and the Live sessions among them.
Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.limits.booked_call import SESSION_AT, BookedCall
from shared.limits.json_columns import BOOKINGS, SESSIONS, split_json
from shared.limits.row_values import read_list, readable, whole_number
from shared.storage.interfaces import Value
from shared.storage.row_layout import unknown_values

EXACT_ENDS = 512
"""So many different ends of calls are kept in the global row; beyond that, ends are rounded up."""
ROUNDED_STEPS = 256
TOTAL_COLUMN = re.compile(f"(?:{BOOKINGS}|{SESSIONS})[0-9]+")


@dataclass(slots=True)
class EndCounts:
    """How many calls end when. Its size is bounded, however many calls there are. `more` is what a
    later release has added, by end."""

    ends: dict[int, int] = field(default_factory=dict)
    more: dict[int, list[Any]] = field(default_factory=dict)

    @classmethod
    def from_list(cls, listed: list[Any]) -> EndCounts:
        """The counts in a row's list. Raises ValueError or TypeError for anything else."""
        return cls(
            {whole_number(end): whole_number(number) for end, number, *_ in listed},
            {end: more for end, _, *more in listed if more},
        )

    def to_list(self) -> list[Any]:
        """What `from_list` reads."""
        return sorted([end, n, *self.more.get(end, [])] for end, n in self.ends.items())

    def live(self, now: int) -> int:
        """How many count as live now."""
        return sum(number for end, number in self.ends.items() if end > now)

    def earliest_end(self, now: int) -> int:
        """When the first of those that are live ends. Raises ValueError where none is."""
        return min(end for end in self.ends if end > now)

    def add(self, now: int, end: int) -> int:
        """Counts one more until `end` or a little later; returns the end it is counted at."""
        self.ends = {end: number for end, number in self.ends.items() if end > now}
        if len(self.ends) >= EXACT_ENDS and end not in self.ends:
            step = max(1, (end - now) // ROUNDED_STEPS)
            end = -(-end // step) * step
        self.ends[end] = self.ends.get(end, 0) + 1
        return end

    def remove(self, end: int) -> None:
        """Counts one less of those that end then."""
        number = self.ends.pop(end, 0)
        if number > 1:
            self.ends[end] = number - 1


@dataclass(slots=True)
class GlobalCount:
    """The calls of all callers, and apart from them their sessions of GPT-Live, whose number the
    provider limits. `unknown` has the row's columns that a later release has added."""

    calls: EndCounts = field(default_factory=EndCounts)
    sessions: EndCounts = field(default_factory=EndCounts)
    changed: bool = False
    unknown: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> GlobalCount:
        """The count in the global row's values. Raises StorageUnavailable for a row that cannot be
        read."""
        with readable():
            return cls(
                EndCounts.from_list(read_list(values)),
                EndCounts.from_list(read_list(values, SESSIONS)),
                unknown=unknown_values(values, TOTAL_COLUMN.fullmatch),
            )

    def to_values(self) -> dict[str, Value]:
        """The values of the global row."""
        # In columns of their own: an earlier release keeps them as they are.
        sessions = split_json(self.sessions.to_list(), SESSIONS) if self.sessions.ends else {}
        return {**self.unknown, **split_json(self.calls.to_list()), **sessions}

    def live_calls(self, now: int) -> int:
        """How many calls count as live now."""
        return self.calls.live(now)

    def add_call(self, now: int, end: int) -> int:
        """Counts one more call until `end` or a little later; returns the end it is counted at."""
        self.changed = True
        return self.calls.add(now, end)

    def remove_call(self, end: int) -> None:
        """Counts one call less of those that end then."""
        self.changed = True
        self.calls.remove(end)

    def add_session(self, now: int, end: int) -> int:
        """As `add_call`, for a session of GPT-Live."""
        self.changed = True
        return self.sessions.add(now, end)

    def remove_session(self, end: int) -> None:
        """As `remove_call`, for a session of GPT-Live."""
        self.changed = True
        self.sessions.remove(end)

    def release_call(self, booked: BookedCall) -> None:
        """Counts a booked call that has ended no longer, nor its session."""
        if booked.live and booked.counted_at:
            self.remove_call(booked.counted_at)
        if booked.live and SESSION_AT in booked.about:
            self.remove_session(booked.about[SESSION_AT])
        booked.about = {name: value for name, value in booked.about.items() if name != SESSION_AT}
        booked.live = False

    def move_end(self, booked: BookedCall, end: int, now: int) -> None:
        """Moves the end until which a booked call and its session count as live."""
        if booked.counted_at:
            self.remove_call(booked.counted_at)
            booked.counted_at = self.add_call(now, end)
        if SESSION_AT in booked.about:
            self.remove_session(booked.about[SESSION_AT])
            booked.about = {**booked.about, SESSION_AT: self.add_session(now, end)}
        booked.ends = end
