"""What storage holds in a soak: the ledger's count, records, transcripts, messages set aside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from shared.calls.records import CallRecord, Records
from shared.limits.account import Account
from shared.limits.transactions import PARTITION
from shared.storage.interfaces import Storage, StorageUnavailable
from shared.transcripts import transcript
from shared.transcripts.record_lines import decode
from shared.transcripts.writer import log_name
from tests.soak.spoken import Conversation, compare

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE, PAUSE = 60.0, 1.0  # seconds
MARGIN = timedelta(minutes=1)
"""The hosts' clocks are wrong, and records lie by day."""


def patiently(work: Callable[P, T]) -> Callable[P, T]:
    """`work`, tried again for a minute: Azurite stops for seconds now and then."""

    @wraps(work)
    def tried(*arguments: P.args, **named: P.kwargs) -> T:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return work(*arguments, **named)
            except StorageUnavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE)

    return tried


@dataclass(frozen=True, slots=True)
class Compared:
    """The conversations: how many are on record whole, and how many say what is missing."""

    whole: int
    stated: int
    unobserved: tuple[str, ...]
    """Calls of the emulator that no observer ever came to."""
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Looks into a storage of one's own since `first`. Every method blocks."""

    storage: Storage
    first: datetime = field(default_factory=lambda: datetime.now(UTC))

    @patiently
    def records(self) -> list[CallRecord]:
        """All calls on record."""
        now = datetime.now(UTC)
        days = {(self.first - MARGIN).date(), now.date(), (now + MARGIN).date()}
        records = Records(self.storage.table("calls"))
        return [one for day in sorted(days) for one in records.of_day(day)]

    @patiently
    def counted(self) -> int:
        """How many live calls the ledger counts."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        rows = self.storage.table("ledger").query(PARTITION)
        return sum(len(Account.from_values(row.values).live_calls(now)) for row in rows)

    @patiently
    def set_aside(self) -> list[str]:
        """The queues in which messages were given up, once for each message."""
        return [
            name
            for name in ("end-call", "observe-call")
            for _ in self.storage.queue(f"{name}-poison").receive(visibility=MARGIN, limit=32)
        ]

    @patiently
    def doubled(self) -> list[str]:
        """Complains of transcripts that have a line twice."""
        logs = self.storage.log("transcripts")
        found = 0
        for name in logs.names():
            ids = [line.id for line in decode(logs.read(name))]
            found += len(ids) != len(set(ids))
        return [f"{found} transcripts have a line twice"] if found else []

    def compared(
        self,
        talks: Sequence[Conversation],
        calls: Mapping[str, Mapping[str, Any]],
        records: Sequence[CallRecord],
    ) -> Compared:
        """Each conversation's record against what was said, and against what the emulator says of
        its `calls`."""
        by_number = {call["sess_id"]: call for call in calls.values()}
        by_call = {record.call_id: record for record in records}
        logs = self.storage.log("transcripts")
        whole = stated = 0
        unobserved, wrong = [], []
        for talk in talks:
            call = by_number.get(str(talk.number), {})
            record = by_call.get(call.get("id", ""))
            if record is None:
                # The agreement of requests, emulator and records has said so.
                continue
            read = transcript.read(patiently(logs.read)(log_name(record.call_id)))
            if not record.observed and not read.entries:
                unobserved.append(record.call_id)
            found = compare(talk, read, call["usage"]["total_tokens"], tokens(record))
            how = f"conversation {record.id}, observed {bool(record.observed)}, {record.ended_by}, "
            how += f"{read.ended}, {len(talk.said)} said, {len(talk.heard)} heard"
            wrong += [f"{how}: {line}" for line in found.wrong]
            whole += found.whole
            stated += not found.whole and not found.wrong
        return Compared(whole, stated, tuple(unobserved), tuple(wrong))


def tokens(record: CallRecord) -> int:
    """All tokens of a record; those from the cache are counted among the others."""
    kinds = record.usage.items()
    return sum(number for kind, number in kinds if not kind.startswith("cached"))
