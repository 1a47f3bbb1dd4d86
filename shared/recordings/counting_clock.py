"""Where audio lies on the call's timeline of which nothing says so. Pure.

The sideband reflects the caller's audio without times and ids. Its frames follow each other without
a break, so they are counted; what counting cannot know, the times of arrival tell:

- Where the first frame of a connection belongs. A service that sends the last seconds again sends
  them at once, so it is the earliest arrival, less what was counted up to it, that places all.
- That frames are missing: from some frame on, all arrive later than their count says. A stall of
  the network or of this process looks the same until the frames that waited arrive on time again,
  which is why the latest second is not placed yet.
- That there are too many: no frame arrives before it was spoken, so one that arrives earlier than
  its count says follows audio that came twice, or that was longer than the time it took.

All times are milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import accumulate

LOOKAHEAD_MS = 1000
"""Of frames younger than this nothing is decided: those that follow may tell."""
MISSING_MS = 150
"""Frames that all arrive this much too late have others missing before them. One frame has 200."""
AHEAD_MS = 150
"""Frames that arrive this much too early follow audio that was too much."""
SLOWLY_MS = 5
"""By how much a frame may lower the least lag where nothing else says that it is lower: audio that
is a little too much each time must not pass for a faster network."""
REMEMBERED = 100
"""Arrivals that tell how late a frame is at least: 20 seconds of them."""


class CountingClock:
    """Places the frames of one side, one connection after the other."""

    def __init__(self) -> None:
        self.next_at: float | None = None
        """Where the next frame belongs by counting; None before the first of a connection."""
        self.lags: deque[float] = deque(maxlen=REMEMBERED)
        """Of the latest frames: arrival less place."""

    @property
    def lag(self) -> float | None:
        """How much later than its place a frame arrives at least; None before the first."""
        return min(self.lags, default=None)

    def start_connection(self) -> None:
        """What comes next may be a repetition, or have something missing before it."""
        self.next_at = None

    def place_frames(
        self,
        arrivals: Sequence[float],
        lengths: Sequence[float],
        lag: float,
        settled: int,
        others_lag: float | None = None,
    ) -> list[float]:
        """The places of the first `settled` frames, where the rest serves to judge them. `lag` is
        how much later than its place a frame arrives at least, as far as is known by now, and
        `others_lag` the same as far as the other side tells: who catches up after a stall does so
        on both sides."""
        before = list(accumulate(lengths, initial=0.0))[:-1]
        counted = [came - counted for came, counted in zip(arrivals, before, strict=True)]
        # From each frame on, the earliest time at which the first frame of all may have been sent.
        earliest = list(accumulate(reversed(counted), min))[::-1]
        if self.next_at is None:
            self.next_at = max(0.0, earliest[0] - lag)
            lag = earliest[0] - self.next_at
        start = self.next_at
        least = lag if others_lag is None else min(lag, others_lag)
        places = []
        for index in range(settled):
            if (missing := earliest[index] - start - lag) > MISSING_MS:
                start += missing
            elif (ahead := least - (counted[index] - start)) > AHEAD_MS:
                start -= ahead
            places.append(start + before[index])
            self.lags.append(max(counted[index] - start, least - SLOWLY_MS))
        if settled:
            self.next_at = places[-1] + lengths[settled - 1]
        return places
