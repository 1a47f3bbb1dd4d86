"""What the ledger reads from its rows, checked: somebody may have changed one by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.limits.json_columns import BOOKINGS, join_json
from shared.storage.interfaces import StorageUnavailable, Value

LARGEST_NUMBER = 2**47
"""Of a row's times and counts: in milliseconds, in the year 6429."""


@contextmanager
def readable() -> Iterator[None]:
    """Somebody may have changed a row by hand, or restored half of it."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StorageUnavailable("a row of the ledger cannot be read") from error


def read_list(values: Mapping[str, Value], prefix: str = BOOKINGS) -> list[Any]:
    """What a row counts in these columns; nothing if there are none. Raises ValueError for anything
    but a list."""
    if f"{prefix}0" not in values:
        return []
    listed = join_json(values, prefix)
    if not isinstance(listed, list):
        raise ValueError("not what is counted")
    return listed


def read_members(values: Mapping[str, Value], prefix: str) -> dict[str, Any]:
    """As `read_list`, for an object."""
    if f"{prefix}0" not in values:
        return {}
    members = join_json(values, prefix)
    if not isinstance(members, dict):
        raise ValueError("not what is counted")
    return members


def whole_number(value: Any) -> int:
    """A time or a count of a row. Raises ValueError for what is none."""
    if not isinstance(value, int) or not 0 <= value <= LARGEST_NUMBER:
        raise ValueError("not a number that is counted with")
    return value
