"""Where the model's audio lies on the call's timeline: where the service says. Pure.

Unless that cannot be: a time that the call has not reached is not believed, and one that keeps
lying behind what is long written means that the service's clock has stood still, as it may while a
session is paused. Then the audio goes where its arrival puts it.

All times are milliseconds.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 100
"""Arrivals that tell how late a frame is at least: 20 seconds of them."""
REPEATED_FOR_MS = 5000
"""For so long after a connection began, the service may be sending again what it had sent."""
BEHIND_AT_MOST = 5
"""Frames in a row that lie behind what is written, before the clock counts as having stopped."""


class ModelClock:
    """Places the model's frames."""

    def __init__(self) -> None:
        self.shift = 0.0
        """How long the service's clock has stood still."""
        self.lags: deque[float] = deque(maxlen=REMEMBERED)
        self.behind = 0
        self.repeats_until = 0.0

    @property
    def lag(self) -> float | None:
        """How much later than its place a frame arrives at least; None before the first."""
        return min(self.lags, default=None)

    def start_connection(self, now: float) -> None:
        """What comes next may be a repetition."""
        self.repeats_until = now + REPEATED_FOR_MS
        self.behind = 0

    def place_frame(
        self, arrived: float, start_ms: int, length: float, written: float, latest: float
    ) -> float | None:
        """The place of one frame; None if it has none. Everything before `written` is written;
        `latest` is the time that the call can have reached."""
        place = start_ms + self.shift
        if start_ms < 0 or place + length > latest:
            return None
        if place + length > written:
            self.behind = 0
        elif arrived > self.repeats_until:
            self.behind += 1
            if self.behind >= BEHIND_AT_MOST and self.lag is not None:
                stood_still = arrived - self.lag - place
                if stood_still > 0 and place + stood_still + length > written:
                    self.shift += stood_still
                    place += stood_still
                    self.behind = 0
        self.lags.append(arrived - place)
        return place
