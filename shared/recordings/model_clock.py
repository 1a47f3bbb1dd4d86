"""Where the model's audio lies on the call's timeline: where the service says. Pure.

Unless that cannot be. A time that the call has not reached is not believed, nor one that is ahead
of those around it: no frame arrives before it was spoken. One that keeps lying behind what is long
written means that the service's clock has stood still, as it may while a session is paused. Then
the audio goes where its arrival puts it.

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
AHEAD_MS = 1000
"""A frame that arrives this much earlier than its time says has another time: after a stall frames
catch up one by one."""
AHEAD_AT_MOST = 5
"""Such frames in a row, before their times are believed."""


class ModelClock:
    """Places the model's frames."""

    def __init__(self) -> None:
        self.shift = 0.0
        """How long the service's clock has stood still."""
        self.lags: deque[float] = deque(maxlen=REMEMBERED)
        self.behind = self.ahead = 0
        self.repeats_until = 0.0

    @property
    def lag(self) -> float | None:
        """How much later than its place a frame arrives at least; None before the first."""
        return min(self.lags, default=None)

    def start_connection(self, now: float) -> None:
        """What comes next may be a repetition."""
        self.repeats_until = now + REPEATED_FOR_MS
        self.behind = self.ahead = 0
        self.lags.clear()

    def place_frame(
        self, arrived: float, start_ms: int, length: float, written: float, latest: float
    ) -> float | None:
        """The place of one frame; None if it has none. Everything before `written` is written;
        `latest` is the time that the call can have reached."""
        place, lag = start_ms + self.shift, self.lag
        is_possible = start_ms >= 0 and place + length <= latest
        if lag is not None and arrived - place < lag - AHEAD_MS:
            self.ahead += 1
            if not is_possible or self.ahead < AHEAD_AT_MOST:
                return max(0.0, arrived - lag)
            self.lags.clear()
        if not is_possible:
            return None
        self.ahead = 0
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
