"""What is counted: one caller's account, and the calls of all callers. Pure.

Each is one row of a table. Times are whole milliseconds since 1970, so that they are written and
compared exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.config.settings import Limits
from shared.core.clock import EPOCH
from shared.limits.json_columns import BOOKINGS, KEYS, join_json, split_json
from shared.storage.interfaces import StorageUnavailable, Value
from shared.storage.row_layout import unknown_values

MINUTE = 60_000
KNOWN_FOR = 10 * MINUTE
"""How long a booking is known past its end: tokens are counted so late, and a call that is settled
is not held again by somebody who had not heard of it."""
BOOKING_CHARACTERS, ABOUT_CHARACTERS = 80, 24
"""What a booking takes of its row, and what it takes more if something is known about it."""
ROOM = 450_000
"""Characters of a caller's row; an entity of a table takes 512 Ki."""
EXACT_ENDS = 512
"""So many different ends of calls are kept in the global row; beyond that, ends are rounded up."""
ROUNDED_STEPS = 256
NO_KEY, UNUSED_KEY, USED_KEY = 0, 1, 2
UNCOUNTED_KEYS = 100
"""Without limits, how many unused keys of one caller are known: the newest."""
FAILED = "failed"
STORED_MEMBERS = 6
"""How many members of a booking's element follow its name."""
LARGEST_NUMBER = 2**47
"""Of a row's times and counts: in milliseconds, in the year 6429."""
OWN_END = "own_end"
"""Of a key whose call is held: until when it counted before that."""
TOTAL_COLUMN = re.compile(f"{BOOKINGS}[0-9]+")
ACCOUNT_COLUMN = re.compile(f"day|tokens|(?:{BOOKINGS}|{KEYS})[0-9]+")


@dataclass(slots=True)
class BookedCall:
    """One call that is counted for a caller."""

    started: int
    ends: int
    live: bool = True
    counted_at: int = 0
    """The end under which the global row counts this call; 0 if it does not."""
    tokens: int = 0
    key: int = NO_KEY
    """For an ephemeral key that a page holds: UNUSED_KEY until a call is registered, then
    USED_KEY."""
    about: dict[str, Any] = field(default_factory=dict)
    """Of a key: the `profile` that it was minted for, a mark of the `call` that used it, and its
    `own_end` while that call is held. Of a start that came to nothing: that it `failed`. Empty
    where an earlier release, which does not know this, has written the row."""
    unknown: list[Any] = field(default_factory=list)
    """What a later release has added to the element; it is written back."""

    @property
    def failed(self) -> bool:
        """Whether it came to nothing, by no fault of the caller's."""
        return bool(self.about.get(FAILED))

    def is_known(self, now: int, *, tokens: int) -> bool:
        """Whether it may still be asked for; `tokens` is their limit."""
        known_for = KNOWN_FOR if tokens or not self.live else 0
        return not self.failed and self.ends > now - known_for


@dataclass(slots=True)
class Account:
    """A caller's bookings and tokens. `changed` is set once an operation has changed it; `unknown`
    has the row's columns that a later release has added."""

    bookings: dict[str, BookedCall] = field(default_factory=dict)
    day: str = ""
    tokens: int = 0
    changed: bool = False
    unknown: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> Account:
        """The account in a row's values; an empty one for a caller who has no row.

        Raises StorageUnavailable for a row that cannot be read.
        """
        with readable():
            bookings = {name: read_booking(members) for name, *members in read_list(values)}
            # In columns of their own: an earlier release fails on an element with one more member.
            for name, about in (join_json(values, KEYS) or {}).items():
                if name in bookings:
                    bookings[name].about = read_about(about)
            return cls(
                bookings,
                str(values.get("day", "")),
                whole_number(int(str(values.get("tokens", 0)))),
                unknown=unknown_values(values, ACCOUNT_COLUMN.fullmatch),
            )

    def to_values(self) -> dict[str, Value]:
        """The values of its row."""
        listed = [
            [name, b.started, b.ends, b.live, b.counted_at, b.tokens, b.key, *b.unknown]
            for name, b in self.bookings.items()
        ]
        about = {name: b.about for name, b in self.bookings.items() if b.about}
        keys = split_json(about, KEYS) if about else {}
        own: dict[str, Value] = {"day": self.day, "tokens": self.tokens}
        return {**self.unknown, **own, **split_json(listed), **keys}

    def live_calls(self, now: int) -> list[BookedCall]:
        """The calls that count as live now."""
        return [booked for booked in self.bookings.values() if booked.live and booked.ends > now]

    def recent_starts(self, now: int) -> list[int]:
        """When the calls of the last minute were started, the earliest first."""
        return sorted(b.started for b in self.recent(now) if not b.failed)

    def recent_tries(self, now: int) -> list[int]:
        """When the calls of the last minute were started or were to be, the earliest first."""
        return sorted(booked.started for booked in self.recent(now))

    def recent(self, now: int) -> list[BookedCall]:
        return [booked for booked in self.bookings.values() if booked.started > now - MINUTE]

    def tokens_today(self, now: int) -> int:
        """The tokens used on the current day (UTC)."""
        return self.tokens if self.day == utc_day(now) else 0

    @property
    def is_full(self) -> bool:
        """Whether its row takes no more: storage refuses a larger one."""
        return self.size > ROOM

    @property
    def size(self) -> int:
        """Characters of its row, estimated."""
        about = sum(ABOUT_CHARACTERS + len(str(b.about)) for b in self.bookings.values() if b.about)
        return BOOKING_CHARACTERS * len(self.bookings) + about

    def drop_expired(self, now: int, limits: Limits) -> None:
        """Drops the bookings that no limit needs any more."""
        self.bookings = {
            name: booked
            for name, booked in self.bookings.items()
            if booked.started > now - MINUTE or booked.is_known(now, tokens=limits.tokens_per_day)
        }
        if limits.none:
            self.drop_uncounted_keys()
        if self.is_full:
            self.drop_settled(now)

    def drop_settled(self, now: int) -> None:
        """Makes room where a caller has started and ended thousands of calls: what they are still
        known for matters less than the next one."""
        self.bookings = {
            name: booked
            for name, booked in self.bookings.items()
            if booked.live or booked.started > now - MINUTE
        }

    def drop_uncounted_keys(self) -> None:
        """Without limits only unused keys matter, and nothing else bounds their number."""
        unused = [name for name, booked in self.bookings.items() if booked.key == UNUSED_KEY]
        dropped = {name for name, booked in self.bookings.items() if booked.key == USED_KEY}
        for name in dropped.union(unused[:-UNCOUNTED_KEYS]):
            del self.bookings[name]


@dataclass(slots=True)
class GlobalCount:
    """How many calls of all callers end when. Its size is bounded, however many calls there are."""

    ends: dict[int, int] = field(default_factory=dict)
    changed: bool = False
    more: dict[int, list[Any]] = field(default_factory=dict)
    unknown: Mapping[str, Value] = field(default_factory=dict)
    """`more`, of an end, and `unknown`, of the row: what a later release has added."""

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> GlobalCount:
        """The count in the global row's values. Raises StorageUnavailable for a row that cannot be
        read."""
        with readable():
            listed = read_list(values)
            return cls(
                {whole_number(end): whole_number(number) for end, number, *_ in listed},
                more={end: more for end, _, *more in listed if more},
                unknown=unknown_values(values, TOTAL_COLUMN.fullmatch),
            )

    def to_values(self) -> dict[str, Value]:
        """The values of the global row."""
        listed = [[end, number, *self.more.get(end, [])] for end, number in self.ends.items()]
        return {**self.unknown, **split_json(sorted(listed))}

    def live_calls(self, now: int) -> int:
        """How many calls count as live now."""
        return sum(number for end, number in self.ends.items() if end > now)

    def add_call(self, now: int, end: int) -> int:
        """Counts one more call until `end` or a little later; returns the end it is counted at."""
        self.ends = {end: number for end, number in self.ends.items() if end > now}
        if len(self.ends) >= EXACT_ENDS and end not in self.ends:
            step = max(1, (end - now) // ROUNDED_STEPS)
            end = -(-end // step) * step
        self.ends[end] = self.ends.get(end, 0) + 1
        self.changed = True
        return end

    def remove_call(self, end: int) -> None:
        """Counts one call less of those that end then."""
        number = self.ends.pop(end, 0)
        if number > 1:
            self.ends[end] = number - 1
        self.changed = True


@contextmanager
def readable() -> Iterator[None]:
    """Somebody may have changed a row by hand, or restored half of it."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StorageUnavailable("a row of the ledger cannot be read") from error


def read_list(values: Mapping[str, Value]) -> list[Any]:
    """What a row counts; nothing if there is no row. Raises ValueError for anything but a list."""
    if f"{BOOKINGS}0" not in values:
        return []
    listed = join_json(values)
    if not isinstance(listed, list):
        raise ValueError("not what is counted")
    return listed


def whole_number(value: Any) -> int:
    """A time or a count of a row. Raises ValueError for what is none."""
    if not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise ValueError("not a number that is counted with")
    return value


def read_about(about: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a key. Raises what reading anything else raises."""
    if OWN_END in about:
        whole_number(about[OWN_END])
    return {**about}


def read_booking(members: list[Any]) -> BookedCall:
    """The booking in an element of a row, without its name. Raises ValueError or TypeError."""
    stored = members[:STORED_MEMBERS]
    for member in stored:
        whole_number(member)
    booked = BookedCall(*stored)
    booked.unknown = members[STORED_MEMBERS:]
    return booked


def to_timedelta(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def to_datetime(milliseconds: int) -> datetime:
    return EPOCH + to_timedelta(milliseconds)


def utc_day(now: int) -> str:
    """The day in UTC, such as 2026-11-20."""
    return to_datetime(now).date().isoformat()


def until_utc_midnight(now: int) -> timedelta:
    """The time left until the next day in UTC."""
    return to_timedelta(24 * 60 * MINUTE - now % (24 * 60 * MINUTE))
