"""What storage holds after a soak: ledger, records, transcripts, poison messages."""

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
from shared.transcripts.record_lines import decode_lines
from shared.transcripts.writer import log_name
from tests.soak.transcript_check import Conversation, compare

P = ParamSpec("P")
T = TypeVar("T")
RETRY_SECONDS, PAUSE = 60.0, 1.0
MARGIN = timedelta(minutes=1)
"""The hosts' clocks are wrong, and records are stored by day."""


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """`work`, retried for a minute: Azurite stops for seconds now and then."""

    @wraps(work)
    def retrying(*arguments: P.args, **named: P.kwargs) -> T:
        until = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return work(*arguments, **named)
            except StorageUnavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE)

    return retrying


@dataclass(frozen=True, slots=True)
class ComparedTranscripts:
    """How many conversations are on record completely, and how many declare that they are not."""

    complete: int
    incomplete: int
    unobserved: tuple[str, ...]
    """Calls of the emulator that were never observed."""
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredState:
    """Reads what was stored since `first`, over a connection of its own. Every method blocks."""

    storage: Storage
    first: datetime = field(default_factory=lambda: datetime.now(UTC))

    @retried
    def records(self) -> list[CallRecord]:
        """All calls on record."""
        now = datetime.now(UTC)
        days = {(self.first - MARGIN).date(), now.date(), (now + MARGIN).date()}
        records = Records(self.storage.table("calls"))
        return [one for day in sorted(days) for one in records.of_day(day)]

    @retried
    def live_calls_in_ledger(self) -> int:
        now = int(datetime.now(UTC).timestamp() * 1000)
        rows = self.storage.table("ledger").query(PARTITION)
        return sum(len(Account.from_values(row.values).live_calls(now)) for row in rows)

    @retried
    def poison_messages(self) -> list[str]:
        """The queue of each message that was given up."""
        return [
            name
            for name in ("end-call", "observe-call")
            for _ in self.storage.queue(f"{name}-poison").receive(visibility=MARGIN, limit=32)
        ]

    @retried
    def duplicate_lines(self) -> list[str]:
        """Complains of transcripts that have a line twice."""
        logs = self.storage.log("transcripts")
        found = 0
        for name in logs.names():
            ids = [line.id for line in decode_lines(logs.read(name))]
            found += len(ids) != len(set(ids))
        return [f"{found} transcripts have a line twice"] if found else []

    def compare_transcripts(
        self,
        talks: Sequence[Conversation],
        calls: Mapping[str, Mapping[str, Any]],
        records: Sequence[CallRecord],
    ) -> ComparedTranscripts:
        """Compares each conversation's transcript with what was said, and with what the emulator
        says of its `calls`."""
        by_number = {call["sess_id"]: call for call in calls.values()}
        by_call = {record.call_id: record for record in records}
        logs = self.storage.log("transcripts")
        complete = incomplete = 0
        unobserved, wrong = [], []
        for talk in talks:
            call = by_number.get(str(talk.number), {})
            record = by_call.get(call.get("id", ""))
            if record is None:
                # Reported where requests, emulator and records are reconciled.
                continue
            read = transcript.read_transcript(retried(logs.read)(log_name(record.call_id)))
            if not record.observed and not read.entries:
                unobserved.append(record.call_id)
            found = compare(talk, read, call["usage"]["total_tokens"], tokens(record))
            how = f"conversation {record.id}, observed {bool(record.observed)}, {record.ended_by}, "
            how += f"{read.ended}, {len(talk.typed)} typed, {len(talk.answered)} answered"
            wrong += [f"{how}: {line}" for line in found.wrong]
            complete += found.complete
            incomplete += not found.complete and not found.wrong
        return ComparedTranscripts(complete, incomplete, tuple(unobserved), tuple(wrong))


def tokens(record: CallRecord) -> int:
    """All tokens of a record; cached ones are included in the others."""
    kinds = record.usage.items()
    return sum(number for kind, number in kinds if not kind.startswith("cached"))
