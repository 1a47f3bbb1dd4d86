"""Records of calls, to be changed where a test says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.calls.call_record import BY_BROKER, CallRecord
from shared.calls.record_ids import record_id


def call_record(
    started_at: datetime, reference: str = "ada.0123456789ab", **changes: Any
) -> CallRecord:
    """The record of a call that the broker started then, and that may last for 15 minutes. Its
    caller is the one whom the reference names."""
    record = CallRecord(
        id=record_id(started_at, reference),
        call_id="rtc_1",
        reference=reference,
        caller_id=reference.rpartition(".")[0],
        profile="default",
        model="gpt-realtime",
        started_by=BY_BROKER,
        started_at=started_at,
        ends_at=started_at + timedelta(minutes=15),
    )
    return replace(record, **changes)
