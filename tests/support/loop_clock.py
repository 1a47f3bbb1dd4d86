"""The clock of an event loop, moved on by a test: what waits for a time need not be waited for."""

from __future__ import annotations

import asyncio
from datetime import timedelta


class LoopClock:
    """The running loop's clock. It goes on by itself too; for a loop that one test has."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.real = loop.time
        self.ahead = 0.0
        loop.time = self.time  # type: ignore[method-assign]

    def time(self) -> float:
        return self.real() + self.ahead

    def move_on(self, by: timedelta) -> None:
        self.ahead += max(0.0, by.total_seconds())
