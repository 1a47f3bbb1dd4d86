from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.accounts import Limits
from shared.deadlines import Deadline
from shared.endings import Endings
from shared.ledger import Ledger
from shared.problems import Problem
from shared.records import CallRecord, Records
from shared.storage import Entity, StorageUnavailable
from shared.storage.memory import MemoryQueue, MemoryTable

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAME = "20300101-43200000-0123456789ab"
RECORD = CallRecord(NAME, "rtc_1", "ada.0123456789ab", "ada", "default", "m", "connect", NOW, NOW)


class Client:
    def hang_up(self, call_id: str, deadline: Deadline) -> bool:
        return True


class Fickle(MemoryTable):
    """Takes no changes while `away`."""

    away = False

    def replace(self, entity: Entity) -> Entity:
        if self.away:
            raise StorageUnavailable("away")
        return super().replace(entity)


def made(table: MemoryTable) -> Endings:
    ledger = Ledger(MemoryTable(), Limits(0, 0, timedelta(minutes=1), 0, 0))
    queue = MemoryQueue(lambda: NOW)
    return Endings(Client(), ledger, Records(table), queue, lambda: NOW)  # type: ignore[arg-type]


def test_the_record_of_a_refused_call_is_closed_once_storage_is_back() -> None:
    table = Fickle()
    endings = made(table)
    other = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"))
    for record in (RECORD, other):
        endings.records.insert(record)
    table.away = True
    endings.refuse(RECORD)
    table.away = False
    assert endings.records.get(NAME).ended_at is None, "and no message will come for it"
    endings.over(other.id, other.reference, "caller")
    assert endings.records.get(NAME).ended_by == "refused"
    assert not endings.unclosed


def test_a_refused_call_without_a_record_leaves_nothing_to_do() -> None:
    endings = made(MemoryTable())
    endings.refuse(RECORD)
    other = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"))
    endings.records.insert(other)
    endings.over(other.id, other.reference, "caller")
    assert not endings.unclosed


def test_a_call_whose_end_could_not_be_written_is_ended_again() -> None:
    table = Fickle()
    records = Records(table)
    records.insert(replace(RECORD, ends_at=NOW + timedelta(seconds=1)))
    endings = made(table)
    table.away = True
    with pytest.raises(Problem, match="storage"):
        endings.expire(NAME)
    table.away = False
    endings.expire(NAME)
    assert records.get(NAME).ended_by == "limit"
