"""One caller's account: the calls that are booked for them, and what these have used. Pure.

It is one row of a table. Times are whole milliseconds since 1970, so that they are written and
compared exactly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from shared.config.settings import Limits
from shared.limits.booked_call import (
    HANDOVER,
    TAKES_OVER,
    UNUSED_KEY,
    USED_KEY,
    BookedCall,
    read_about,
    read_booking,
)
from shared.limits.json_columns import BOOKINGS, KEYS, TIME, join_json, split_json
from shared.limits.row_values import read_list, readable, whole_number
from shared.limits.time_spent import TimeSpent
from shared.limits.times import MINUTE, utc_day
from shared.storage.interfaces import Value
from shared.storage.row_layout import unknown_values

BOOKING_CHARACTERS, ABOUT_CHARACTERS = 80, 24
"""What a booking takes of its row, and what it takes more if something is known about it."""
LARGEST_USUAL = 1_000
"""What no booking takes, whatever is known about it, unless it takes over others."""
ROOM = 450_000
"""Characters of a caller's row; an entity of a table takes 512 Ki."""
UNCOUNTED_KEYS = 100
"""Without limits, how many unused keys of one caller are known: the newest."""
ACCOUNT_COLUMN = re.compile(f"day|tokens|(?:{BOOKINGS}|{KEYS}|{TIME})[0-9]+")


@dataclass(slots=True)
class Account:
    """A caller's bookings, tokens and time. `changed` is set once an operation has changed it;
    `unknown` has the row's columns that a later release has added."""

    bookings: dict[str, BookedCall] = field(default_factory=dict)
    day: str = ""
    tokens: int = 0
    time: TimeSpent = field(default_factory=TimeSpent)
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
                TimeSpent.from_values(values),
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
        return {**self.unknown, **own, **split_json(listed), **keys, **self.time.to_values()}

    def live_calls(self, now: int, passing: Collection[str] = ()) -> list[BookedCall]:
        """The calls that count as live now: not those whose line another one has, or would have
        that continues the bookings `passing`. One that could not be ended counts again after a
        while."""
        live = self.running(now)
        passed = {
            name
            for booked in live.values()
            if booked.started > now - 2 * HANDOVER
            for name in booked.about.get(TAKES_OVER, ())
        }
        return [booked for name, booked in live.items() if name not in passed | {*passing}]

    def running(self, now: int) -> dict[str, BookedCall]:
        """The calls that go on, by the names of their bookings."""
        return {name: each for name, each in self.bookings.items() if each.live and each.ends > now}

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
        usual = not any(TAKES_OVER in booked.about for booked in self.bookings.values())
        if usual and LARGEST_USUAL * len(self.bookings) + self.time.size <= ROOM:
            return False
        return self.size > ROOM

    @property
    def size(self) -> int:
        """Characters of its row, estimated."""
        about = sum(ABOUT_CHARACTERS + len(str(b.about)) for b in self.bookings.values() if b.about)
        return BOOKING_CHARACTERS * len(self.bookings) + about + self.time.size

    def counts_nothing(self, now: int) -> bool:
        """Whether its row may be deleted."""
        return not (self.bookings or self.tokens_today(now)) and self.time.is_empty(now)

    def drop_expired(self, now: int, limits: Limits) -> None:
        """Drops the bookings that no limit needs any more, and sums up the time of ended calls."""
        overtime = self.time.overtime(now, self.bookings)
        self.bookings = {
            name: booked
            for name, booked in self.bookings.items()
            if booked.started > now - MINUTE or booked.is_known(now, counts_use=limits.counts_use)
        }
        self.time.sum_up_ended(now, self.bookings, overtime)
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
