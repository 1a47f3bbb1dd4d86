"""The ids of call records: `<day>-<milliseconds left in the day>-<the booking's name>`. Pure.

An id says where its row is, and sorts the newest first within a day.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from shared.core.clock import EPOCH, MILLISECOND
from shared.core.problems import Problem

RECORD_ID = re.compile(r"[0-9]{8}-[0-9]{8}-[0-9a-f]{12}")
DAY = timedelta(days=1)


def record_id(started_at: datetime, reference: str) -> str:
    """The id of the call that was booked under `reference` at `started_at`."""
    moment = started_at.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    left = DAY - (moment - midnight)
    name = reference.rpartition(".")[2]
    return f"{moment:%Y%m%d}-{left // MILLISECOND:08d}-{name}"


def is_record_id(text: str) -> bool:
    """Whether `text` has the form that `record_id` gives."""
    return RECORD_ID.fullmatch(text) is not None


def partition_and_row(name: str) -> tuple[str, str]:
    """The keys of a record's row. Raises Problem call_not_found for what is not a record's id."""
    if not is_record_id(name):
        raise Problem("call_not_found")
    day, _, row = name.partition("-")
    return day, row


def day_of(name: str, today: date) -> date:
    """The day of the record with that id. Raises Problem invalid_query for what can be no record's
    id; another instance's clock may be a little ahead."""
    try:
        day = datetime.strptime(name[:8], "%Y%m%d").date()  # noqa: DTZ007
    except ValueError:
        day = date.max
    if not is_record_id(name) or day > today + DAY:
        raise Problem("invalid_query", "before: expected the id of a call.")
    return day


def start_in_id(name: str) -> datetime:
    """When the call was started, by its record's id (`record_id`); long ago for any other name."""
    if not is_record_id(name):
        return EPOCH
    day, left, _ = name.split("-")
    midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    return midnight + DAY - int(left) * MILLISECOND
