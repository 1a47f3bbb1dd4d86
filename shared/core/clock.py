"""The clock as a parameter, so that tests can set the time; and times as whole milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the current time, aware and in UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def utc_now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)


def unix_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970, rounded down. `moment` is aware."""
    return (moment - EPOCH) // MILLISECOND


def in_doubt(clock: Clock) -> bool:
    """Whether a clock that corrects itself has a reason to believe that it is wrong."""
    return bool(getattr(clock, "in_doubt", False))
