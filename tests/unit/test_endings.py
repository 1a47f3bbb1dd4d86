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


def test_a_call_whose_end_could_not_be_written_is_ended_again() -> None:
    table = Fickle()
    records = Records(table)
    records.insert(replace(RECORD, ends_at=NOW + timedelta(seconds=1)))
    ledger = Ledger(MemoryTable(), Limits(0, 0, timedelta(minutes=1), 0, 0))
    queue = MemoryQueue(lambda: NOW)
    endings = Endings(Client(), ledger, records, queue, lambda: NOW)  # type: ignore[arg-type]
    table.away = True
    with pytest.raises(Problem, match="storage"):
        endings.expire(NAME)
    table.away = False
    endings.expire(NAME)
    assert records.get(NAME).ended_by == "limit"
