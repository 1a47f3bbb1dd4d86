"""Counts what requests were refused or failed with, in this process, and has it written together.

A refusal must not cost a request to storage: a flood of them would be a flood there too. So they
are counted here, by day, route and code, and the sums are written a few seconds later. Both names
are this project's own or the settings', so there is a bounded number of them. What the model's
endpoints refuse is counted in the same way (admin/endpoint_refusals.py).
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from shared.core.clock import Clock, utc_now

WRITTEN_AFTER = timedelta(seconds=5)
NAMES_AT_MOST = 500
"""Of a day. Further ones would be a mistake of ours, and are not counted."""
DAYS_AT_MOST = 3
"""While storage is away."""

Counts = Mapping[tuple[str, str], int]
"""How often, by route and code."""
Write = Callable[[str, Counts], bool]
"""Writes all that this process has counted on a day (`20261126`, UTC). False: not now."""


def call_if_there(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Calls a method of an object that somebody still has."""
    if act := method():
        act()


class RefusalCounter:
    """Counts until `write` has taken it, on a thread of its own."""

    def __init__(
        self, write: Write, clock: Clock = utc_now, written_after: timedelta = WRITTEN_AFTER
    ) -> None:
        self.write = write
        self.clock = clock
        self.written_after = written_after
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.days: dict[str, Counter[tuple[str, str]]] = {}
        self.unwritten: set[str] = set()
        self.is_due = False

    def count(self, route: str, code: str) -> None:
        """Counts one. Never blocks, never raises."""
        today = f"{self.clock():%Y%m%d}"
        with self.lock:
            counts = self.days.setdefault(today, Counter())
            if (route, code) in counts or len(counts) < NAMES_AT_MOST:
                counts[route, code] += 1
                self.unwritten.add(today)
                self.forget_days()
                self.write_soon()

    def forget_days(self) -> None:
        for day in sorted(self.days)[:-DAYS_AT_MOST]:
            del self.days[day]
            self.unwritten.discard(day)

    def write_soon(self) -> None:
        """Has it written in a while, unless that is going to happen."""
        if self.is_due:
            return
        self.is_due = True
        # A counter that nobody has any more is not kept by its timer.
        write = weakref.WeakMethod(self.write_counts)
        timer = threading.Timer(self.written_after.total_seconds(), call_if_there, [write])
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            # No thread can be had now, as while the process exits: the next refusal tries again.
            self.is_due = False

    def write_counts(self) -> None:
        """Writes what is not written. Blocks, never raises; what fails is tried again later."""
        with self.writing:
            with self.lock:
                self.is_due = False
                taken = {day: dict(self.days[day]) for day in self.unwritten}
                self.unwritten.clear()
            failed = {day for day, counts in taken.items() if not self.write(day, counts)}
            with self.lock:
                today = max(self.days, default="")
                self.unwritten |= failed & self.days.keys()
                for day in taken.keys() - self.unwritten - {today}:
                    self.days.pop(day, None)
                if self.unwritten:
                    self.write_soon()
