"""A clock that stands still until a test moves it on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """A `shared.core.clock.Clock`. It starts at half past noon, far from midnight."""

    now: datetime = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        """Moves on by a `timedelta` of these arguments."""
        self.now += timedelta(**span)
