"""A call that may have begun and that nobody can end: its answer is lost, and with it its id.

It cannot be hung up, so it is told: on record, with what it costs at least. The endpoint ends it by
itself some time after nobody has connected to it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from shared.calls.call_record import CallRecord
from shared.calls.clock_usage import usage_by_clock

NO_ANSWER = "no answer"
"""What ended such a call, and what settled it: no hang-up can prove anything about it."""
LEFT_RUNNING = "call_left_running"
"""What failed in it."""


def unanswered_record(
    record: CallRecord, code: str, now: datetime, price_table: Path | None = None
) -> CallRecord:
    """Its record, which nothing tries to end, with the seconds that are charged for its creation
    and their cost. `code` is that of the problem, `price_table` the operator's own prices."""
    return replace(
        record,
        ended_at=now,
        ended_by=NO_ANSWER,
        settled_by=NO_ANSWER,
        failures={LEFT_RUNNING: {code: 1}},
        **usage_by_clock(record.model, timedelta(0), price_table),
    )
