"""How many requests were refused or failed, by day, route and code.

Each process has a row of its own for each day, which it alone writes, with all that it has counted:
no two writers contend, and a write whose answer was lost may be repeated. The first write of a day
deletes what is older than the records of calls. Blocks.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from shared.calls.record_ids import DAY
from shared.calls.records import LISTED_DAYS
from shared.core import logs
from shared.core.json_reader import read_object
from shared.core.untrusted import is_count
from shared.storage.interfaces import Conflict, Entity, StorageError, Table
from shared.storage.partition_rows import rows_in_partition
from shared.storage.row_layout import new_row

COLUMN = "refused"
SWEPT_DAYS = 7
SWEPT_AT_MOST = 200


class RefusalCounts:
    """The counts of all instances, in `table`, in partitions whose names begin with `kind`."""

    def __init__(self, table: Table, kind: str = "") -> None:
        self.table = table
        self.kind = kind
        self.instance = secrets.token_hex(8)
        self.written: dict[str, Entity] = {}
        """By day, this process's row."""

    def write(self, day: str, counts: Mapping[tuple[str, str], int]) -> bool:
        """Writes all that this process has counted on a day. False: storage did not take it."""
        codes: dict[str, dict[str, int]] = {}
        for (route, code), number in sorted(counts.items()):
            codes.setdefault(route, {})[code] = number
        values = {COLUMN: json.dumps(codes, separators=(",", ":"))}
        entity = new_row(Entity(self.kind + day, self.instance, values))
        try:
            is_first = day not in self.written
            self.written[day] = self.write_row(entity)
            if is_first:
                self.sweep_expired(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date())
        except StorageError as error:
            logs.event("refusals not recorded", logging.WARNING, reason=type(error).__name__)
            return False
        for old in self.written.keys() - {day}:
            del self.written[old]
        return True

    def write_row(self, entity: Entity) -> Entity:
        try:
            if present := self.written.get(entity.partition.removeprefix(self.kind)):
                return self.table.replace(present.with_values(entity.values))
            return self.table.insert(entity)
        except Conflict:
            # An earlier write has got there although it seemed to fail, or the row is deleted.
            there = self.table.get(entity.partition, entity.row)
            if there is None:
                return self.table.insert(entity)
            return self.table.replace(there.with_values(entity.values))

    def of_day(self, day: date) -> Counter[tuple[str, str]]:
        """What all instances have written of a day, by route and code. Raises
        StorageUnavailable."""
        found: Counter[tuple[str, str]] = Counter()
        for row in self.rows_of(day):
            found.update(counts_in(row))
        return found

    def rows_of(self, day: date) -> Iterator[Entity]:
        return rows_in_partition(self.table, f"{self.kind}{day:%Y%m%d}")

    def sweep_expired(self, today: date) -> None:
        """Deletes rows of the week before records are kept, a bounded number."""
        oldest = today - timedelta(days=LISTED_DAYS)
        days = (oldest - back * DAY for back in range(1, SWEPT_DAYS + 1))
        expired = (row for day in days for row in self.rows_of(day))
        for row in islice(expired, SWEPT_AT_MOST):
            self.table.delete(row.partition, row.row)


def counts_in(row: Entity) -> dict[tuple[str, str], int]:
    """The counts in a row. What people have edited into something else is left out."""
    return {
        (route, code): number
        for route, codes in read_object(str(row.values.get(COLUMN))).items()
        if isinstance(codes, Mapping)
        for code, number in codes.items()
        if is_count(number)
    }
