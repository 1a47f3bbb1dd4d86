"""One row for each call: what it was, when and why it ended, what it used.

Written when a call begins, updated by whoever ends it and by its observer, read by admins. Rows are
partitioned by day and sorted newest first within a day, so that a page of the list is one query. An
id says where its row is: `<day>-<milliseconds left in the day>-<the booking's name>`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.calls.clock_usage import usage_by_clock
from shared.calls.record_ids import DAY, day_of, is_record_id, partition_and_row, start_in_id
from shared.config.voice_api import LIVE, REALTIME, VoiceApi, voice_api
from shared.core.json_reader import read_object
from shared.core.problems import Problem
from shared.storage.interfaces import Conflict, Entity, Table, Value
from shared.storage.row_layout import (
    LAYOUT,
    new_row,
    require_known_layout,
    unknown_values,
    value_of,
)
from shared.transcripts.failures import known_counts
from shared.usage import turn_latency

BY_BROKER, BY_KEY = "connect", "token"
"""How a call was started: by the broker, or by its page with a key."""
LIVE_LAYOUT = 2
"""Of the records of GPT-Live's calls: a release that knows Realtime alone would take its endpoint's
404 for their end, and must not close them."""
LISTED_DAYS = 90
"""How far back the list of calls goes, and so how long records are kept (docs/recording.md)."""
SWEPT_DAYS = 7
UPDATE_TRIES = 8
QUERY_ROWS = 1000


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. `ended_by` says why it is over and is empty while it is live. `settled_by` says
    what proves that (calls/termination.py); it is empty until something does, and for calls that an
    earlier release took to be over.

    `started_by` is BY_BROKER or BY_KEY. `reference` is its booking in the ledger. `usage` holds
    tokens by kind as the observer counted them, and of a Live call its `seconds`, of which it was
    active or paused. Where nobody observed the call it is empty until it is settled, and of a Live
    call the clock's from then on.
    `transcription` is the same for what transcribed the caller, in tokens or seconds. `failures`
    counts what failed, by what it was and by the endpoint's code
    (`{"response_failed": {"rate_limit_exceeded": 2}}`), `latency` how many turns waited how long
    for their answers (usage/turn_latency.py). `session_model` is the model that the
    session named; `model` may be a deployment's name. `cost` is by the price table of the day
    `prices_as_of`. `api` is the API that it speaks.
    """

    id: str
    call_id: str = field(repr=False)
    reference: str
    caller_id: str
    profile: str
    model: str
    started_by: str
    started_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    cost: str = ""
    observed: str = ""
    settled_by: str = ""
    transcription: Mapping[str, Any] = field(default_factory=dict)
    failures: Mapping[str, Any] = field(default_factory=dict)
    latency: Mapping[str, Any] = field(default_factory=dict)
    session_model: str = ""
    prices_as_of: str = ""
    api: VoiceApi = REALTIME

    def public(self) -> dict[str, Any]:
        """What an admin may see: everything but what joins the call, books it or settles it."""
        shown = {
            STORED_NAMES.get(each.name, each.name): getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("call_id", "reference", "settled_by")
        }
        for moment in TIMES:
            value = shown[moment]
            shown[moment] = value.isoformat(timespec="milliseconds") if value else None
        shown["failures"] = known_counts(self.failures)
        shown["latency"] = turn_latency.summary(turn_latency.from_stored(self.latency))
        shown = {name: value for name, value in shown.items() if not is_left_out(name, value)}
        shown["status"] = "ended" if self.ended_at else "live"
        return shown


SELDOM = ("transcription", "failures", "latency", "session_model", "prices_as_of")
"""Left out where they are empty."""
API = "api"
"""Left out of calls of Realtime: an older release's rows have none."""
STORED_NAMES = {"caller_id": "caller", "started_by": "way"}
"""Fields whose column, which the API shows too, has an older name."""
TIMES = {"started_at", "ends_at", "ended_at"}
JSON_COLUMNS = ("usage", "transcription", "failures", "latency")
COLUMNS = {
    each.name: STORED_NAMES.get(each.name, each.name)
    for each in fields(CallRecord)
    if each.name not in ("id", *JSON_COLUMNS)
}


class Records:
    """The records of all calls, in `table`; `price_table` is a file of prices of the operator's
    own. Every method may raise `StorageUnavailable`."""

    def __init__(self, table: Table, price_table: Path | None = None) -> None:
        self.table = table
        self.price_table = price_table

    def insert(self, record: CallRecord) -> None:
        """Writes a new record; an existing one is left as it is."""
        layout = LIVE_LAYOUT if record.api == LIVE else LAYOUT
        try:
            self.table.insert(new_row(to_entity(record), layout))
        except Conflict:
            return

    def get(self, name: str) -> CallRecord:
        """The record with that id. Raises Problem call_not_found."""
        return from_entity(self.get_entity(name))

    def exists(self, name: str) -> bool:
        """Whether there is a record with that id."""
        return self.table.get(*partition_and_row(name)) is not None

    def update(self, name: str, change: Callable[[CallRecord], CallRecord]) -> CallRecord:
        """Applies `change` to the record as it is now, however many writers there are.

        Raises Problem call_not_found, or ledger_busy after eight conflicts.
        """
        for _ in range(UPDATE_TRIES):
            entity = require_known_layout(self.get_entity(name), LIVE_LAYOUT)
            before = from_entity(entity)
            after = change(before)
            if after == before:
                return before
            try:
                self.table.replace(entity.with_values(updated_values(entity, after)))
            except Conflict:
                continue
            return after
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
                record = replace(record, ended_at=at, ended_by=by)
            record = record if record.settled_by else replace(record, settled_by=settled_by)
            return with_usage(record, self.price_table)

        self.update(name, ended)
        return first[0]

    def newest(self, now: datetime, *, before: str = "", limit: int = 50) -> list[CallRecord]:
        """Up to `limit` records, newest first, after the one with the id `before`. Raises Problem
        invalid_query for what can be no record's id."""
        found: list[CallRecord] = []
        today = now.astimezone(UTC).date()
        day, start = today, ""
        if before:
            # The next possible key after that row.
            day, start = day_of(before, today), before.partition("-")[2] + "!"
        oldest = today - timedelta(days=LISTED_DAYS)
        while len(found) < limit and day >= oldest:
            rows = self.table.query(f"{day:%Y%m%d}", start=start, limit=limit - len(found))
            found += records_in(rows)
            day, start = day - DAY, ""
        return found

    def started_since(self, moment: datetime, now: datetime) -> Iterator[CallRecord]:
        """The records of calls that were started after `moment`, newest first."""
        day = now.astimezone(UTC).date()
        while day >= moment.astimezone(UTC).date():
            for record in self.rows_of_day(day):
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

    def of_day(self, day: date) -> Sequence[CallRecord]:
        """Every record of one day (UTC)."""
        return list(self.rows_of_day(day))

    def rows_of_day(self, day: date) -> Iterator[CallRecord]:
        """The records of one day (UTC), newest first."""
        start = ""
        while True:
            rows = self.table.query(f"{day:%Y%m%d}", start=start, limit=QUERY_ROWS)
            yield from records_in(rows)
            if len(rows) < QUERY_ROWS:
                return
            start = rows[-1].row + "!"

    def get_entity(self, name: str) -> Entity:
        found = self.table.get(*partition_and_row(name))
        if found is None:
            raise Problem("call_not_found")
        return found


def with_usage(record: CallRecord, price_table: Path | None) -> CallRecord:
    """A settled call of GPT-Live with its usage: the clock's, if nobody has told any."""
    if record.api != LIVE or record.usage or not (record.settled_by and record.ended_at):
        return record
    lasted = record.ended_at - record.started_at
    return replace(record, **usage_by_clock(record.model, lasted, price_table))


def to_entity(record: CallRecord) -> Entity:
    """The row of a record."""
    # Not `asdict`, which copies deeply: that is a tenth of the work of starting a call.
    values: dict[str, Value] = {
        column: value
        for name, column in COLUMNS.items()
        if (value := getattr(record, name)) is not None and not is_left_out(name, value)
    }
    values |= {
        name: json.dumps(value)
        for name in JSON_COLUMNS
        if (value := getattr(record, name)) or name not in SELDOM
    }
    return Entity(*partition_and_row(record.id), values)


def is_left_out(name: str, value: Any) -> bool:
    """Whether a field with that value is neither stored nor shown."""
    return value == REALTIME if name == API else not value and name in SELDOM


def updated_values(entity: Entity, record: CallRecord) -> dict[str, Value]:
    """The values of a record's row with what has changed. What a later release added stays."""
    unknown = unknown_values(entity.values, {*COLUMNS.values(), *JSON_COLUMNS}.__contains__)
    return {**unknown, **to_entity(record).values}


def from_entity(entity: Entity) -> CallRecord:
    """The record in a row.

    People edit rows by hand and restore half of them: what cannot be read costs that record alone.
    Without its end a call's time is up, so that it is ended.
    """
    objects = {name: read_object(str(entity.values.get(name))) for name in JSON_COLUMNS}
    words = COLUMNS.keys() - {*TIMES, API}
    texts = {name: value_of(entity, COLUMNS[name], str) or "" for name in words}
    name = f"{entity.partition}-{entity.row}"
    started_at = value_of(entity, "started_at", datetime) or start_in_id(name)
    return CallRecord(
        id=name,
        usage=objects["usage"],
        transcription=objects["transcription"],
        failures=objects["failures"],
        latency=objects["latency"],
        started_at=started_at,
        ends_at=value_of(entity, "ends_at", datetime) or started_at,
        ended_at=value_of(entity, "ended_at", datetime),
        api=voice_api(value_of(entity, API, str) or ""),
        **texts,
    )


def records_in(rows: Iterable[Entity]) -> list[CallRecord]:
    """The records in rows; a row that no call has is nothing of ours."""
    return [from_entity(row) for row in rows if is_record_id(f"{row.partition}-{row.row}")]
