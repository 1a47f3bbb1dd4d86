"""The clock that instances share: their own, corrected by the one that storage answers with.

Leases, bookings and the ends of calls are times that one instance writes and another compares with
its own clock. Every answer of storage has a `Date`, so each instance knows how far off it is. The
header has whole seconds, so two corrected clocks differ by about two seconds at most. What answers
in storage's place, such as a proxy with a page of its own, is not believed.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from shared.core import logs
from shared.core.clock import Clock

TOLERATED = timedelta(seconds=2)
"""A difference up to this is left alone: it may come from the header and the way of the answer."""
SLOW = timedelta(seconds=2)
"""An answer that took longer says too little."""
LARGEST_AT_ONCE = timedelta(hours=2)
"""A first answer is believed up to this, so that the first call is counted right; any other change
takes two answers that agree."""
STORAGES_OWN = ("x-ms-request-id", "x-ms-version")
"""What every answer of storage has."""
HALF_A_SECOND = timedelta(milliseconds=500)


class StorageClock:
    """A `Clock`. Until storage has answered for the first time it is the machine's own."""

    def __init__(self, own: Clock) -> None:
        self.own = own
        self.lock = threading.Lock()
        self.offset = timedelta(0)
        self.has_learned = False
        self.suspected: timedelta | None = None
        """An offset that one answer has shown since; a second one must confirm it."""

    def __call__(self) -> datetime:
        return self.own() + self.offset

    @property
    def in_doubt(self) -> bool:
        """Whether the latest answer of storage contradicts it: the next one decides."""
        return self.suspected is not None

    def learn(self, date: str, took: timedelta) -> None:
        """An answer with this `Date` header has just come; it `took` so long. Never raises."""
        if took > SLOW:
            return
        try:
            # The header is rounded down, and was written halfway.
            offset = parsedate_to_datetime(date) + HALF_A_SECOND - (self.own() - took / 2)
        except (ValueError, TypeError, OverflowError):
            return
        with self.lock:
            known, self.has_learned = self.has_learned, True
            if abs(offset - self.offset) <= TOLERATED:
                self.suspected = None
                return
            confirmed = self.suspected is not None and abs(offset - self.suspected) <= TOLERATED
            if not confirmed and (known or abs(offset) > LARGEST_AT_ONCE):
                self.suspected = offset
                return
            self.suspected = None
            self.offset = offset if abs(offset) > TOLERATED else timedelta(0)
        logs.event("clock corrected", logging.WARNING, seconds=round(offset.total_seconds(), 1))
