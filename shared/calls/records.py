"""One row for every call: what it was, when it ended and why, what it used.

Written when a call begins, changed by whoever ends it and by its observer, read by admins. Rows
lie by day and, within a day, newest first, so that a page of the list is one query. An id says
where its row is: `<day>-<milliseconds left in the day>-<the booking's name>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.core.problems import Problem
from shared.storage.interfaces import Conflict, Entity, Table, Value

ID = re.compile(r"[0-9]{8}-[0-9]{8}-[0-9a-f]{12}")
DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
LISTED_DAYS = 90
"""How far back the list of calls goes: as long as records are kept (docs/recording.md)."""
SWEPT_DAYS = 7
TRIES = 8


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. `way` is how it was started, `ended_by` why it is over ("" while it is live).

    `reference` is its booking in the ledger; `usage` holds tokens by kind, as the observer counted
    them, empty where nobody observed.
    """

    id: str
    call_id: str = field(repr=False)
    reference: str
    caller: str
    profile: str
    model: str
    way: str
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost: str = ""
    observed: str = ""

    def public(self) -> dict[str, Any]:
        """What an admin may see: everything but what joins the call or books it."""
        shown = asdict(self)
        for hidden in ("call_id", "reference"):
            del shown[hidden]
        for moment in ("started_at", "ends_at", "ended_at"):
            value = shown[moment]
            shown[moment] = value.isoformat(timespec="milliseconds") if value else None
        shown["status"] = "ended" if self.ended_at else "live"
        return shown


def record_id(started_at: datetime, reference: str) -> str:
    """The id of the call that was booked under `reference` at `started_at`."""
    moment = started_at.astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    left = DAY - (moment - midnight)
    name = reference.rpartition(".")[2]
    return f"{moment:%Y%m%d}-{left // MILLISECOND:08d}-{name}"


def is_record_id(name: str) -> bool:
    """Whether `name` is an id as `record_id` makes it."""
    return ID.fullmatch(name) is not None


def place(name: str) -> tuple[str, str]:
    """The partition and row of an id. Raises Problem call_not_found for what is none."""
    if not is_record_id(name):
        raise Problem("call_not_found")
    day, _, row = name.partition("-")
    return day, row


class Records:
    """The records of all calls, in `table`. Every method may raise `StorageUnavailable`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def insert(self, record: CallRecord) -> None:
        """Writes a new record; one that is there already is left as it is."""
        try:
            self.table.insert(written(record))
        except Conflict:
            return

    def get(self, name: str) -> CallRecord:
        """The record of that id. Raises Problem call_not_found."""
        return read(self.entity(name))

    def change(self, name: str, changed: Callable[[CallRecord], CallRecord]) -> CallRecord:
        """Applies `changed` to the record as it is now, however many writers there are.

        Raises Problem call_not_found.
        """
        for _ in range(TRIES):
            entity = self.entity(name)
            before = read(entity)
            after = changed(before)
            if after == before:
                return before
            try:
                self.table.replace(entity.with_values(written(after).values))
            except Conflict:
                continue
            return after
        raise Problem("ledger_busy")

    def end(self, name: str, by: str, at: datetime) -> bool:
        """Notes that the call is over and why; the first to say so is right. False: it was over."""
        first: list[bool] = []

        def ended(record: CallRecord) -> CallRecord:
            first[:] = [record.ended_at is None]
            return replace(record, ended_at=at, ended_by=by) if first[0] else record

        self.change(name, ended)
        return first[0]

    def newest(self, now: datetime, *, before: str = "", limit: int = 50) -> list[CallRecord]:
        """Up to `limit` records, newest first, after the one with the id `before`."""
        found: list[CallRecord] = []
        today = now.astimezone(UTC).date()
        day, start = today, ""
        if before:
            partition, row = place(before)
            # The next possible key after that row.
            day, start = datetime.strptime(partition, "%Y%m%d").date(), row + "!"  # noqa: DTZ007
        oldest = today - timedelta(days=LISTED_DAYS)
        while len(found) < limit and day >= oldest:
            rows = self.table.query(f"{day:%Y%m%d}", start=start, limit=limit - len(found))
            found += [read(entity) for entity in rows]
            day, start = day - DAY, ""
        return found

    def sweep(self, now: datetime, limit: int = 200) -> int:
        """Deletes records that are older than the list goes back, some at a time; their number."""
        oldest = now.astimezone(UTC).date() - timedelta(days=LISTED_DAYS)
        swept = 0
        for back in range(1, SWEPT_DAYS + 1):
            for entity in self.table.query(f"{oldest - back * DAY:%Y%m%d}", limit=limit - swept):
                self.table.delete(entity.partition, entity.row)
                swept += 1
            if swept >= limit:
                break
        return swept

    def of_day(self, day: date) -> Sequence[CallRecord]:
        """Every record of one day (UTC)."""
        found: list[CallRecord] = []
        start = ""
        while True:
            rows = self.table.query(f"{day:%Y%m%d}", start=start)
            found += [read(entity) for entity in rows]
            if len(rows) < 1000:
                return found
            start = rows[-1].row + "!"

    def entity(self, name: str) -> Entity:
        found = self.table.get(*place(name))
        if found is None:
            raise Problem("call_not_found")
        return found


COLUMNS = tuple(name for name in CallRecord.__dataclass_fields__ if name not in ("id", "usage"))


def written(record: CallRecord) -> Entity:
    """A record as a row."""
    # Not `asdict`, which copies what it finds, deep: a tenth of the work of a start.
    values: dict[str, Value] = {
        name: value for name in COLUMNS if (value := getattr(record, name)) is not None
    }
    values["usage"] = json.dumps(record.usage)
    return Entity(*place(record.id), values)


def read(entity: Entity) -> CallRecord:
    """A row as a record."""
    values: dict[str, Any] = dict(entity.values)
    values["usage"] = json.loads(values.get("usage") or "{}")
    known = {name: values[name] for name in CallRecord.__dataclass_fields__ if name in values}
    return CallRecord(id=f"{entity.partition}-{entity.row}", **known)
