"""The clock as a parameter, so that tests can set the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the current time, aware and in UTC."""


def utc_now() -> datetime:
    """The machine's clock, in UTC."""
    return datetime.now(UTC)
