"""How often each of the model's endpoints refused a call, over all instances, by the hour.

With failover most of these refusals reach no caller, so no other count has them. Kept like the
refusals of requests (core/refusal_counter.py), in partitions of their own. Blocks, but for `count`.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from shared.admin.refusal_counts import RefusalCounts
from shared.calls.record_ids import DAY
from shared.core.clock import Clock
from shared.core.refusal_counter import RefusalCounter
from shared.storage.interfaces import Table

KIND = "endpoints-"


class EndpointRefusals:
    """Counts them in this process, and reads what all have counted."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.clock = clock
        self.counts = RefusalCounts(table, KIND)
        self.counter = RefusalCounter(self.counts.write, clock)

    def count(self, endpoint: str, reason: str) -> None:
        """Counts one. Never blocks, never raises."""
        self.counter.count(endpoint, f"{self.clock().astimezone(UTC):%H} {reason}")

    def write_counts(self) -> None:
        """Writes what is not written yet. Blocks, never raises."""
        self.counter.write_counts()

    def of_last_day(self) -> dict[str, Counter[str]]:
        """By endpoint, how often for which reason since this hour began yesterday. Raises
        StorageUnavailable."""
        self.write_counts()
        now = self.clock().astimezone(UTC)
        found: dict[str, Counter[str]] = {}
        for day, is_in in ((now, until(now)), (now - DAY, since(now))):
            for (endpoint, coded), number in self.counts.of_day(day.date()).items():
                hour, _, reason = coded.partition(" ")
                if hour in is_in and reason:
                    found.setdefault(endpoint, Counter())[reason] += number
        return found


def until(now: datetime) -> frozenset[str]:
    """The hours of the day up to this one."""
    return frozenset(f"{hour:02d}" for hour in range(now.hour + 1))


def since(now: datetime) -> frozenset[str]:
    """This hour and the later ones."""
    return frozenset(f"{hour:02d}" for hour in range(now.hour, 24))
