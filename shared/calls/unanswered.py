"""A call that may have begun and that nobody can end: its answer is lost, and with it its id.

It cannot be hung up, so it is told: on record, with what it costs at least. The endpoint ends it by
itself some time after nobody has connected to it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from shared.calls.records import CallRecord

NO_ANSWER = "no answer"
"""What ended such a call, and what settled it: no hang-up can prove anything about it."""
LEFT_RUNNING = "call_left_running"
"""What failed in it."""


def unanswered_record(
    record: CallRecord, code: str, now: datetime, price_table: Path | None = None
) -> CallRecord:
    """Its record, which nothing tries to end, with the seconds that are charged for its creation
    and their cost. `code` is that of the problem, `price_table` the operator's own prices."""
    # Imported here because no other start needs them.
    from shared.usage.call_usage import CallUsage
    from shared.usage.live_usage import MINIMUM_SECONDS, LiveUsage
    from shared.usage.price_files import load_prices
    from shared.usage.prices import UNKNOWN

    used = CallUsage(live=LiveUsage(estimated_seconds=MINIMUM_SECONDS))
    prices = load_prices(own=price_table)
    cost = prices.call_cost(record.model, used)
    return replace(
        record,
        ended_at=now,
        ended_by=NO_ANSWER,
        settled_by=NO_ANSWER,
        failures={LEFT_RUNNING: {code: 1}},
        usage=used.counts(),
        cost=UNKNOWN if cost is None else f"{cost.amount:f}",
        prices_as_of=prices.as_of.isoformat(),
    )
