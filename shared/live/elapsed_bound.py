"""Holds what a Live session tells of its time to the clock: no place on its timeline is beyond now,
and no count of its seconds. Pure.

One odd number must cost no more than itself: everything that follows is compared with it, by later
runs too, which read it in the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from shared.live.server_events import (
    ContextAppended,
    DelegationCreated,
    SessionClosed,
    TranscriptFragment,
    UsageUpdated,
)
from shared.sideband.events import ServerEvent

AHEAD_AT_MOST = timedelta(minutes=2)
"""How far a session may be ahead of our clock: another instance, with another clock, created it."""
LONGEST_CALL = timedelta(hours=3)
"""What a call without a known beginning has lasted at most: a session ends after two hours."""


class ElapsedBound:
    """The bound of one call. `started_at` is when it was created, None if nobody knows; `now` the
    present. A beginning in the future is none: the call goes on now at the latest."""

    def __init__(self, started_at: datetime | None, now: datetime) -> None:
        self.began = min(now, started_at or now)
        self.ahead = AHEAD_AT_MOST if started_at else LONGEST_CALL

    def elapsed_ms(self, now: datetime) -> int:
        return max(0, (now - self.began) // timedelta(milliseconds=1))

    def latest_ms(self, now: datetime) -> int:
        return self.elapsed_ms(now) + self.ahead // timedelta(milliseconds=1)

    def apply(self, event: ServerEvent, now: datetime) -> ServerEvent:
        """The event with what can be believed of it. Words whose place cannot be are kept, at the
        present; a count of seconds that cannot be is left out."""
        match event:
            case TranscriptFragment() | ContextAppended():
                start = self.place(event.start_ms, now)
                end = max(start, self.place(event.end_ms, now))
                if (start, end) != (event.start_ms, event.end_ms):
                    return replace(event, start_ms=start, end_ms=end)
            case DelegationCreated():
                if event.offset_ms > (latest := self.latest_ms(now)):
                    # It is asked for by what has been said, of which none is to be left out.
                    return replace(event, offset_ms=latest)
            case UsageUpdated() | SessionClosed():
                usage = self.counts(event.usage, now)
                if usage != event.usage:
                    return replace(event, usage=usage)
        return event

    def counts(self, usage: Mapping[str, float | int], now: datetime) -> dict[str, float | int]:
        """The counts of seconds that the session can have come to."""
        most = self.latest_ms(now) / 1000
        return {name: seconds for name, seconds in usage.items() if seconds <= most}

    def place(self, place: int, now: datetime) -> int:
        """The place on the timeline, or the present where the session cannot have come so far."""
        return place if place <= self.latest_ms(now) else self.elapsed_ms(now)
