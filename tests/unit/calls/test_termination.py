"""How calls end, and what is caught up on after storage was unavailable."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.admin.service import AdminService
from shared.calls.claims import Claims
from shared.calls.queue_messages import record_id_in
from shared.calls.records import CallRecord, Records
from shared.calls.termination import CallTerminator
from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.ledger import Ledger
from shared.storage.interfaces import Entity, StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from tests.support.hang_up_client import HangUpClient, no_such_call

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAME = "20300101-43200000-0123456789ab"
RECORD = CallRecord(NAME, "rtc_1", "ada.0123456789ab", "ada", "default", "m", "connect", NOW, NOW)


class ReadOnlyTable(MemoryTable):
    """Accepts no changes while `read_only`."""

    read_only = False

    def replace(self, entity: Entity) -> Entity:
        if self.read_only:
            raise StorageUnavailable("read-only")
        return super().replace(entity)


def terminator_on(table: MemoryTable) -> CallTerminator:
    ledger = Ledger(MemoryTable(), Limits(0, 0, timedelta(minutes=1), 0, 0))
    queue = MemoryQueue(lambda: NOW)
    return CallTerminator(HangUpClient(), ledger, Records(table), queue, lambda: NOW)


def test_the_record_of_a_refused_call_is_closed_once_storage_is_back() -> None:
    table = ReadOnlyTable()
    terminator = terminator_on(table)
    other = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"))
    for record in (RECORD, other):
        terminator.records.insert(record)
    table.read_only = True
    terminator.refuse_call(RECORD)
    table.read_only = False
    assert terminator.records.get(NAME).ended_at is None, "and no message will come for it"
    terminator.settle(other.id, other.reference, "caller")
    assert terminator.records.get(NAME).ended_by == "refused"
    assert not terminator.unclosed


def test_a_refused_call_without_a_record_leaves_nothing_to_close() -> None:
    terminator = terminator_on(MemoryTable())
    terminator.refuse_call(RECORD)
    other = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"))
    terminator.records.insert(other)
    terminator.settle(other.id, other.reference, "caller")
    assert not terminator.unclosed


def test_a_call_whose_end_could_not_be_written_is_ended_again() -> None:
    table = ReadOnlyTable()
    records = Records(table)
    records.insert(replace(RECORD, ends_at=NOW + timedelta(seconds=1)))
    terminator = terminator_on(table)
    table.read_only = True
    with pytest.raises(Problem, match="storage"):
        terminator.end_expired_call(NAME)
    table.read_only = False
    terminator.end_expired_call(NAME)
    assert records.get(NAME).ended_by == "limit"


def test_a_call_whose_messages_were_lost_is_ended_once_its_record_is_read() -> None:
    terminator = terminator_on(MemoryTable())
    admin = AdminService(terminator.records, terminator, MemoryLog(), no_such_call, lambda: NOW)
    lately = replace(
        RECORD, id=NAME.replace("0123456789ab", "ba9876543210"), ends_at=NOW - timedelta(minutes=1)
    )
    terminator.records.insert(replace(RECORD, ends_at=NOW - timedelta(minutes=3)))
    terminator.records.insert(lately)
    assert [call["status"] for call in admin.list_calls({})["calls"]] == ["live", "live"]
    minute, queue = timedelta(minutes=1), terminator.end_queue
    named = [record_id_in(each.body) for each in queue.receive(visibility=minute, limit=32)]
    assert named == [NAME], "the other's messages may yet come"
    admin.list_calls({})
    assert not queue.receive(visibility=minute, limit=32), "once is enough"
    asyncio.run(terminator.end_at_limit(NAME))
    assert terminator.records.get(NAME).ended_by == "limit"


def test_what_is_kept_under_the_id_of_a_call_goes_with_its_record() -> None:
    forgotten: list[str] = []
    terminator = replace(terminator_on(MemoryTable()), forget_lease=forgotten.append)
    claims = Claims(terminator.records.table)
    old = replace(RECORD, id=f"{NOW - timedelta(days=92):%Y%m%d}{NAME[8:]}")
    terminator.records.insert(old)
    claims.claim(old)
    terminator.sweep_expired()
    assert claims.claimed(old.call_id) is None
    assert forgotten == [old.call_id]
