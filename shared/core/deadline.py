"""How long a request may still take, as one value that is passed down.

Static Web Apps gives an API request 45 s; all steps of a request share one budget within that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a monotonic clock (seconds)."""

    at: float
    monotonic: Monotonic = time.monotonic

    @classmethod
    def after(cls, budget: timedelta, monotonic: Monotonic = time.monotonic) -> Deadline:
        """The moment `budget` from now."""
        return cls(monotonic() + budget.total_seconds(), monotonic)

    @property
    def remaining(self) -> timedelta:
        """The time left; never negative."""
        return timedelta(seconds=self.seconds_left)

    @property
    def seconds_left(self) -> float:
        """The same in seconds, for the socket calls of every request."""
        return max(0.0, self.at - self.monotonic())

    def within(self, limit: timedelta) -> float:
        """Seconds for one step: `limit`, or the time left if that is less (never quite 0)."""
        return max(0.001, min(limit.total_seconds(), self.seconds_left))
