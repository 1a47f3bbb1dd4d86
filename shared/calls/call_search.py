"""Finds calls among the records: newest first, a page at a time.

Rows are partitioned by day, so days bound a search; everything else is compared record by record.
One request looks at a bounded number of records, and says where the next one is to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.calls.call_record import LIVE, CallRecord
from shared.calls.record_ids import DAY, day_of
from shared.calls.records import LISTED_DAYS, Records
from shared.transcripts.failures import known_counts

LOOKED_AT_MOST = 2000
"""Records of one request."""
QUERY_ROWS = 500
LIVE_SINCE = timedelta(hours=3)
"""Where live calls are looked for first: a call lasts an hour at most and is settled soon after."""


@dataclass(frozen=True, slots=True)
class CallSearch:
    """What calls have to match; an empty condition matches all. `text` is lower-case and is in what
    a call is known by. `first` and `last` are the days on which it may have been started."""

    text: str = ""
    status: str = ""
    profile: str = ""
    model: str = ""
    caller: str = ""
    ended_by: str = ""
    endpoint: str = ""
    first: date | None = None
    last: date | None = None

    @property
    def looks_into_records(self) -> bool:
        """Whether the days alone do not decide."""
        words = (self.profile, self.model, self.caller, self.ended_by, self.endpoint)
        return any((self.text, self.status, *words))

    def matches(self, record: CallRecord) -> bool:
        """Whether a call of the days looked for is one of those looked for."""
        equal = (
            (self.status, record.status),
            (self.profile, record.profile),
            (self.model, record.model),
            (self.caller, record.caller_id),
            (self.ended_by, record.ended_by),
            (self.endpoint, record.endpoint_name),
        )
        if any(wanted and wanted != there for wanted, there in equal):
            return False
        return not self.text or any(self.text in word.lower() for word in words_of(record))


def words_of(record: CallRecord) -> Iterator[str]:
    """What a call is known by."""
    yield from (record.id, record.caller_id, record.profile, record.model)
    yield from (record.session_model, record.ended_by, record.continues, record.continued_by)
    for what, codes in known_counts(record.failures).items():
        yield from (what, *codes)


@dataclass(frozen=True, slots=True)
class FoundCalls:
    """One page of calls. `following` is the id after which the next page goes on; None: that is
    all."""

    calls: list[CallRecord]
    following: str | None


def find_calls(
    records: Records, search: CallSearch, now: datetime, *, before: str = "", limit: int = 50
) -> FoundCalls:
    """Up to `limit` calls, newest first, after the one with the id `before`. There may be fewer
    although there are more (`FoundCalls`). Raises Problem invalid_query for what can be no record's
    id, StorageUnavailable."""
    found: list[CallRecord] = []
    # Only at first: whoever goes on wants to see the rest.
    horizon = now - LIVE_SINCE if search.status == LIVE and not before else None
    size = QUERY_ROWS if search.looks_into_records else limit
    looked_at = records_before(records, search, now, before, size)
    for looked, record in enumerate(looked_at, start=1):
        if search.matches(record):
            found.append(record)
        is_old = horizon is not None and record.started_at < horizon
        if is_old or len(found) >= limit or looked >= LOOKED_AT_MOST:
            return FoundCalls(found, record.id)
    return FoundCalls(found, None)


def records_before(
    records: Records, search: CallSearch, now: datetime, before: str, size: int
) -> Iterator[CallRecord]:
    """The records of the days that are looked for, newest first, read `size` at a time."""
    today = now.astimezone(UTC).date()
    oldest = today - timedelta(days=LISTED_DAYS)
    day, start = today, ""
    if before:
        # The next possible key after that row.
        day, start = day_of(before, today), before.partition("-")[2] + "!"
    if search.last and search.last < day:
        day, start = search.last, ""
    while day >= max(oldest, search.first or oldest):
        yield from records.of_day(day, start=start, size=size)
        day, start = day - DAY, ""
