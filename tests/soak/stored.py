"""What storage holds after a soak: ledger, records, transcripts, poison messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from shared.calls.call_record import CallRecord
from shared.calls.records import Records
from shared.limits.account import Account
from shared.limits.booked_call import NO_KEY, BookedCall
from shared.limits.transactions import PARTITION
from shared.storage.interfaces import Storage, StorageUnavailable
from shared.transcripts import transcript
from shared.transcripts.record_lines import decode_lines
from shared.transcripts.writer import log_name
from tests.soak.forgery_check import forged_entries, forgery_complaints
from tests.soak.hostile_talkers import HostileConversation
from tests.soak.transcript_check import Conversation, compare

P = ParamSpec("P")
T = TypeVar("T")
RETRY_SECONDS, PAUSE = 60.0, 1.0
MOST_GAPS = 20
"""A call may be taken over and lost again and again; a line for each dial would be hundreds."""
MOST_BYTES = 2 * 1024 * 1024
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
    forged: int
    """Items of hostile pages that are on record."""


@dataclass(frozen=True, slots=True)
class TranscriptSizes:
    """How many transcripts have a line twice; the `largest` in bytes; the most gaps in one."""

    duplicated: int
    largest: int
    gaps: int

    def complaints(self) -> list[str]:
        return [
            *([f"{self.duplicated} transcripts have a line twice"] if self.duplicated else []),
            *([f"a transcript states {self.gaps} gaps"] if self.gaps > MOST_GAPS else []),
            *([f"a transcript has {self.largest} bytes"] if self.largest > MOST_BYTES else []),
        ]


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
    def live_bookings(self) -> dict[str, BookedCall]:
        """What the ledger counts as live now, by its booking's name."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        rows = self.storage.table("ledger").query(PARTITION)
        return {
            name: booked
            for row in rows
            for name, booked in Account.from_values(row.values).bookings.items()
            if booked.live and booked.ends > now
        }

    def ledger_complaints(self) -> list[str]:
        """What is still counted though everything has ended, and what its record says."""
        records = {one.id.rpartition("-")[2]: one for one in self.records()}
        return [
            f"the ledger counts a call that has ended: {describe_booking(booked)}, "
            + (f"record {one.id} {one.ended_by}" if (one := records.get(name)) else "no record")
            for name, booked in self.live_bookings().items()
        ]

    @retried
    def poison_messages(self) -> list[str]:
        """The queue of each message that was given up."""
        return [
            name
            for name in ("end-call", "observe-call")
            for _ in self.storage.queue(f"{name}-poison").receive(visibility=MARGIN, limit=32)
        ]

    @retried
    def measure_transcripts(self) -> TranscriptSizes:
        """All transcripts, whoever called."""
        logs = self.storage.log("transcripts")
        duplicated = largest = gaps = 0
        for name in logs.names():
            content = logs.read(name)
            ids = [line.id for line in decode_lines(content)]
            duplicated += len(ids) != len(set(ids))
            largest = max(largest, len(content))
            gaps = max(gaps, transcript.read_transcript(content).gaps)
        return TranscriptSizes(duplicated, largest, gaps)

    def compare_transcripts(
        self,
        talks: Sequence[Conversation],
        calls: Mapping[str, Mapping[str, Any]],
        records: Sequence[CallRecord],
    ) -> ComparedTranscripts:
        """Compares each conversation's transcript with what was said, with what a hostile page
        made, and with what the emulator says of its `calls`."""
        by_number = {call["sess_id"]: call for call in calls.values()}
        by_call = {record.call_id: record for record in records}
        logs = self.storage.log("transcripts")
        complete = incomplete = forged = 0
        unobserved, wrong = [], []
        for talk in talks:
            call = by_number.get(str(talk.number), {})
            record = by_call.get(call.get("id", ""))
            if record is None:
                # Reported where requests, emulator and records are reconciled.
                continue
            lines = decode_lines(retried(logs.read)(log_name(record.call_id)))
            read = transcript.build_transcript(lines)
            if not record.observed and not read.entries:
                unobserved.append(record.call_id)
            found = compare(talk, read, call["usage"]["total_tokens"], tokens(record))
            how = f"conversation {record.id}, observed {bool(record.observed)}, {record.ended_by}, "
            how += f"{read.ended}, {len(talk.typed)} typed, {len(talk.answered)} answered"
            if isinstance(talk, HostileConversation):
                how += f", attacked by {', '.join(sorted(talk.attacks))}"
            wrong += [f"{how}: {line}" for line in found.wrong]
            if isinstance(talk, HostileConversation):
                forged += forged_entries(talk, read)
                wrong += [f"{how}: {line}" for line in forgery_complaints(talk, read, lines)]
            complete += found.complete
            incomplete += not found.complete and not found.wrong
        return ComparedTranscripts(complete, incomplete, tuple(unobserved), tuple(wrong), forged)


def describe_booking(booked: BookedCall) -> str:
    left = booked.ends / 1000 - datetime.now(UTC).timestamp()
    kind = "a call" if booked.key == NO_KEY else "a key"
    return f"{kind} for another {left:.0f} s, started {'again' if not booked.started else 'once'}"


def tokens(record: CallRecord) -> int:
    """All tokens of a record; cached ones are included in the others."""
    kinds = record.usage.items()
    return sum(number for kind, number in kinds if not kind.startswith("cached"))
