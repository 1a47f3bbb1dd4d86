"""The ledger's times: whole milliseconds since 1970, and the days in UTC that it counts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.core.clock import EPOCH

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def to_timedelta(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


def to_datetime(milliseconds: int) -> datetime:
    return EPOCH + to_timedelta(milliseconds)


def utc_day(now: int) -> str:
    """The day in UTC, such as 2026-11-20."""
    return to_datetime(now).date().isoformat()


def next_midnight(now: int) -> int:
    """When the next day in UTC begins."""
    return now - now % DAY + DAY


def until_utc_midnight(now: int) -> timedelta:
    """The time left until the next day in UTC."""
    return to_timedelta(next_midnight(now) - now)


def split_by_day(start: int, end: int) -> Iterator[tuple[str, int]]:
    """The days in UTC between two moments, with the milliseconds that fall on each."""
    while start < end:
        stop = min(end, next_midnight(start))
        yield utc_day(start), stop - start
        start = stop
