"""The records of all calls: one row for each, what it was, when and why it ended, what it used.

Written when a call begins, updated by whoever ends it and by its observer, read by admins
(calls/call_record.py has what is in one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from shared.calls.call_record import (
    CONTINUED,
    ENDED_BY_ITSELF,
    CallRecord,
    from_entity,
    records_in,
    stored_name,
    to_entity,
    updated_values,
)
from shared.calls.clock_usage import usage_by_clock
from shared.calls.record_ids import DAY, partition_and_row, start_in_id
from shared.config.settings import DEFAULT_ENDPOINT
from shared.config.voice_api import LIVE
from shared.core.problems import Problem
from shared.storage.interfaces import Conflict, Entity, Table
from shared.storage.partition_rows import QUERY_ROWS, rows_in_partition
from shared.storage.row_layout import LAYOUT, new_row, require_known_layout

LIVE_LAYOUT = 2
"""Of the records of GPT-Live's calls: a release that knows Realtime alone would take its endpoint's
404 for their end, and must not close them."""
ENDPOINT_LAYOUT = 3
"""Of the records of calls at another endpoint than the default one, for the same reason."""
NEWEST_LAYOUT = ENDPOINT_LAYOUT
LISTED_DAYS = 90
"""How far back the list of calls goes, and so how long records are kept (docs/recording.md)."""
SWEPT_DAYS = 7
UPDATE_TRIES = 8


class Records:
    """The records of all calls, in `table`; `price_table` is a file of prices of the operator's
    own. A row that names no endpoint is read as one of `default_endpoint`. Every method may raise
    `StorageUnavailable`."""

    def __init__(
        self,
        table: Table,
        price_table: Path | None = None,
        default_endpoint: str = DEFAULT_ENDPOINT,
    ) -> None:
        self.table = table
        self.price_table = price_table
        self.default_endpoint = stored_name(default_endpoint)

    def insert(self, record: CallRecord) -> None:
        """Writes a new record; an existing one is left as it is."""
        try:
            self.table.insert(new_row(to_entity(record), layout_of(record)))
        except Conflict:
            return

    def get(self, name: str) -> CallRecord:
        """The record with that id. Raises Problem call_not_found."""
        return self.with_endpoint(from_entity(self.get_entity(name)))

    def exists(self, name: str) -> bool:
        """Whether there is a record with that id."""
        return self.table.get(*partition_and_row(name)) is not None

    def update(self, name: str, change: Callable[[CallRecord], CallRecord]) -> CallRecord:
        """Applies `change` to the record as it is now, however many writers there are. A row that
        names no endpoint goes on naming none: that outlives a list of endpoints.

        Raises Problem call_not_found, or ledger_busy after eight conflicts.
        """
        for _ in range(UPDATE_TRIES):
            entity = require_known_layout(self.get_entity(name), NEWEST_LAYOUT)
            before = from_entity(entity)
            after = change(before)
            if after == before:
                return self.with_endpoint(before)
            try:
                self.table.replace(entity.with_values(updated_values(entity, after)))
            except Conflict:
                continue
            return self.with_endpoint(after)
        raise Problem("ledger_busy")

    def mark_ended(self, name: str, by: str, at: datetime, settled_by: str) -> bool:
        """Records that and why the call is over, and what settled it; the first of each stays. A
        settled call of GPT-Live of which no usage is told gets the clock's. False: it was over.

        Raises Problem as `update` does.
        """
        first: list[bool] = []

        def ended(record: CallRecord) -> CallRecord:
            first[:] = [record.ended_at is None]
            if first[0]:
                handed_over = record.continued_by and by in ENDED_BY_ITSELF
                why = CONTINUED if handed_over else by
                record = replace(record, ended_at=at, ended_by=why)
            record = record if record.settled_by else replace(record, settled_by=settled_by)
            return with_usage(record, self.price_table)

        self.update(name, ended)
        return first[0]

    def bring_forward(self, name: str, ends_at: datetime) -> None:
        """Records that the call ends no later than that; its conversation may go on as long as
        before. Raises Problem as `update` does."""

        def ending(record: CallRecord) -> CallRecord:
            if record.ends_at <= ends_at or record.ended_at is not None:
                return record
            until = record.conversation_end
            return replace(record, ends_at=ends_at, conversation_ends_at=until)

        self.update(name, ending)

    def end_conversation(self, name: str, at: datetime) -> CallRecord:
        """Records that no other call may continue this one; gives its record. Raises Problem as
        `update` does."""

        def over(record: CallRecord) -> CallRecord:
            return replace(record, conversation_ends_at=min(record.conversation_end, at))

        return self.update(name, over)

    def started_since(self, moment: datetime, now: datetime) -> Iterator[CallRecord]:
        """The records of calls that were started after `moment`, newest first."""
        day = now.astimezone(UTC).date()
        while day >= moment.astimezone(UTC).date():
            for record in self.of_day(day):
                # Rows are in the order of their ids, whatever else is edited in them.
                if start_in_id(record.id) < moment:
                    return
                yield record
            day -= DAY

    def sweep_expired(self, now: datetime, forget: Callable[[str], None], limit: int = 200) -> int:
        """Deletes up to `limit` records of the week before the list begins; returns how many.

        `forget` first deletes what else is kept under a record's call id.
        """
        oldest = now.astimezone(UTC).date() - timedelta(days=LISTED_DAYS)
        swept = 0
        for back in range(1, SWEPT_DAYS + 1):
            for entity in self.table.query(f"{oldest - back * DAY:%Y%m%d}", limit=limit - swept):
                if call_id := from_entity(entity).call_id:
                    forget(call_id)
                self.table.delete(entity.partition, entity.row)
                swept += 1
            if swept >= limit:
                break
        return swept

    def of_day(self, day: date, *, start: str = "", size: int = QUERY_ROWS) -> Iterator[CallRecord]:
        """The records of one day (UTC), newest first, from the row with the key `start` on, read
        `size` at a time."""
        rows = rows_in_partition(self.table, f"{day:%Y%m%d}", start=start, size=size)
        return map(self.with_endpoint, records_in(rows))

    def with_endpoint(self, record: CallRecord) -> CallRecord:
        """The record with the endpoint that it belongs to."""
        if record.endpoint or not self.default_endpoint:
            return record
        return replace(record, endpoint=self.default_endpoint)

    def get_entity(self, name: str) -> Entity:
        found = self.table.get(*partition_and_row(name))
        if found is None:
            raise Problem("call_not_found")
        return found


def layout_of(record: CallRecord) -> int:
    """The layout of a call's row: that of the first release which can end the call."""
    if record.endpoint:
        return ENDPOINT_LAYOUT
    return LIVE_LAYOUT if record.api == LIVE else LAYOUT


def with_usage(record: CallRecord, price_table: Path | None) -> CallRecord:
    """A settled call of GPT-Live with its usage: the clock's, if nobody has told any."""
    if record.api != LIVE or record.usage or not (record.settled_by and record.ended_at):
        return record
    lasted = record.ended_at - record.started_at
    return replace(record, **usage_by_clock(record.model, lasted, price_table))
