"""How far a run is, and how long it will take still. Pure but for its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


class Progress:
    """The parts of a run in their order, each with the seconds that it is expected to take."""

    def __init__(
        self, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.coming = dict(expected)
        self.clock = clock
        self.began = clock()
        self.part_began = self.began
        self.current = 0.0

    def begin(self, part: str) -> None:
        self.current = self.coming.pop(part)
        self.part_began = self.clock()

    def end(self) -> float:
        """The seconds that the part took."""
        self.current = 0.0
        return self.clock() - self.part_began

    @property
    def left(self) -> float:
        """Seconds; a part that takes longer than expected is about to end."""
        of_part = max(0.0, self.current - (self.clock() - self.part_began))
        return of_part + sum(self.coming.values())

    def stamp(self) -> str:
        """For the beginning of a line: the time since the start, and what is left."""
        return f"{minutes(self.clock() - self.began)}, {minutes(self.left)} left"


def minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"
