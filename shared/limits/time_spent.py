"""The time of one caller's calls, by day in UTC. Pure.

`LIMIT_SECONDS_PER_DAY` holds whatever happens, because a call is booked for no longer than the
limit allows: what it may use until its end is reserved, and becomes what it used once it is over.
So an instance that dies, or a settled call that is reported late, cannot make a day too long. A
call over midnight counts on each day with its part.

A call's time is the ledger's own: from its booking until it is settled. A Live call counts at least
the fifteen seconds that are charged when its session is created. What a key may start counts to the
key's end, because nobody sees what it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.limits.booked_call import OWN_END, BookedCall
from shared.limits.json_columns import TIME, split_json
from shared.limits.row_values import read_members, whole_number
from shared.limits.times import DAY, next_midnight, split_by_day, utc_day
from shared.storage.interfaces import Value

CALLS, DAYS = "calls", "days"
TIMED_MEMBERS = 3
TIMED_CHARACTERS = 60
"""What a call whose time is reserved takes of its caller's row."""


@dataclass(slots=True)
class TimedCall:
    """A call whose time is not in the sum of its days yet: it lasts until `until`, or has ended
    then. At least `least` milliseconds of it count. `unknown` is what a later release has added."""

    started: int
    until: int
    least: int = 0
    unknown: list[Any] = field(default_factory=list)

    def end_at(self, moment: int) -> None:
        """It is over: what it has not used is free."""
        self.until = max(moment, self.started + self.least)


@dataclass(slots=True)
class TimeSpent:
    """`days` has the milliseconds that ended calls have used, `calls` those whose time is reserved
    or not summed up yet, by the name of their booking."""

    days: dict[str, int] = field(default_factory=dict)
    calls: dict[str, TimedCall] = field(default_factory=dict)
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> TimeSpent:
        """The time in a caller's row; none in a row of an earlier release. Raises ValueError or
        TypeError for what cannot be read."""
        members = read_members(values, TIME)
        days, calls = members.pop(DAYS, {}), members.pop(CALLS, {})
        return cls(
            {str(day): whole_number(number) for day, number in days.items()},
            {name: read_timed(listed) for name, listed in calls.items()},
            members,
        )

    def to_values(self) -> dict[str, Value]:
        """What `from_values` reads; nothing where nothing is counted."""
        if not (self.days or self.calls or self.unknown):
            return {}
        calls = {
            name: [timed.started, timed.until, timed.least, *timed.unknown]
            for name, timed in self.calls.items()
        }
        return split_json({**self.unknown, DAYS: self.days, CALLS: calls}, TIME)

    @property
    def size(self) -> int:
        """Characters of its row, estimated."""
        return TIMED_CHARACTERS * len(self.calls)

    def is_empty(self, now: int) -> bool:
        """Whether nothing is counted today."""
        return not (self.calls or any(day >= utc_day(now) for day in self.days))

    def counted_on_day(self, moment: int, until: Mapping[str, int]) -> int:
        """The milliseconds of that moment's day that are used or reserved. `until` has the ends of
        calls that go on past their own."""
        stop = next_midnight(moment)
        return self.days.get(utc_day(moment), 0) + sum(
            max(0, min(stop, until.get(name, timed.until)) - max(stop - DAY, timed.started))
            for name, timed in self.calls.items()
        )

    def allowed_end(self, start: int, wanted: int, limit: int, until: Mapping[str, int]) -> int:
        """Until when a call from `start` on may last, if it wants to until `wanted`, so that no day
        gets more than `limit` milliseconds."""
        end = start
        while end < wanted:
            stop = min(wanted, next_midnight(end))
            left = limit - self.counted_on_day(end, until)
            if left < stop - end:
                return end + max(0, left)
            end = stop
        return end

    def add_untimed(self, bookings: Mapping[str, BookedCall]) -> None:
        """Reserves the time of calls that were booked without: by an earlier release, or before
        time was limited."""
        for name, booked in bookings.items():
            if booked.live and booked.started:
                own_end = int(booked.about.get(OWN_END, booked.ends))
                self.calls.setdefault(name, TimedCall(booked.started, own_end))

    def overtime(self, now: int, bookings: Mapping[str, BookedCall]) -> dict[str, int]:
        """The ends of calls that are held past their own: nobody knows yet when they are over."""
        return {
            name: booked.ends
            for name, timed in self.calls.items()
            if timed.until <= now
            and (booked := bookings.get(name))
            and booked.live
            and booked.ends > timed.until
        }

    def end_call(self, now: int, name: str, booked: BookedCall) -> None:
        """The call is over: it has used its time up to now, and no more than it counted for."""
        if timed := self.calls.get(name):
            timed.end_at(min(now, max(timed.until, booked.ends)))

    def sum_up_ended(
        self, now: int, bookings: Mapping[str, BookedCall], overtime: Mapping[str, int]
    ) -> None:
        """Adds the time of calls that are over to their days, and drops the days that no clock is
        in any more, however far off it is.

        A call that nobody has settled has used all that was reserved for it, and so has one that an
        earlier release has settled.
        """
        oldest = max(0, next_midnight(now) - 2 * DAY)
        for name in list(self.calls):
            if name in bookings and bookings[name].live:
                continue
            timed = self.calls[name]
            timed.until = max(timed.until, overtime.get(name, 0))
            if timed.until > now:
                continue
            for day, milliseconds in split_by_day(max(timed.started, oldest), timed.until):
                self.days[day] = self.days.get(day, 0) + milliseconds
            del self.calls[name]
        self.days = {day: number for day, number in self.days.items() if day >= utc_day(oldest)}


def read_timed(listed: Any) -> TimedCall:
    """The call in an element of a row. Raises ValueError or TypeError."""
    started, until, least = (whole_number(member) for member in listed[:TIMED_MEMBERS])
    return TimedCall(started, until, least, listed[TIMED_MEMBERS:])
