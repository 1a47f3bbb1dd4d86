"""How calls end, and what is caught up on after storage was unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.admin.refusal_counts import RefusalCounts
from shared.admin.service import AdminService
from shared.calls.claims import Claims
from shared.calls.delivery import Delivery
from shared.calls.new_call import SealedCall
from shared.calls.queue_messages import record_id_in
from shared.calls.record_ids import partition_and_row
from shared.calls.records import Records
from shared.calls.termination import CallTerminator
from shared.config.settings import Limits, ObserverSettings
from shared.config.voice_api import REALTIME
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import Entity, StorageUnavailable, Write
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from shared.upstream.hang_up_reply import OUTLIVED, WAS_GONE, WAS_LIVE, HangUpReply
from tests.support.call_records import call_record
from tests.support.hang_up_client import HangUpClient, no_such_call

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
RECORD = call_record(NOW, ends_at=NOW)
NAME = RECORD.id
UNLIMITED = Limits(0, 0, timedelta(minutes=1), 0, 0)


class ReadOnlyTable(MemoryTable):
    """Accepts no changes while `read_only`."""

    read_only = False

    def replace(self, entity: Entity) -> Entity:
        if self.read_only:
            raise StorageUnavailable("read-only")
        return super().replace(entity)


class LedgerTable(MemoryTable):
    """Writes nothing while `read_only`."""

    read_only = False

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        if self.read_only:
            raise StorageUnavailable("read-only")
        return super().transact(writes)


def terminator_on(
    table: MemoryTable, *replies: HangUpReply | Problem, limits: Limits = UNLIMITED
) -> CallTerminator:
    ledger = Ledger(MemoryTable(), limits, clock=lambda: NOW)
    queue = MemoryQueue(lambda: NOW)
    voices = HangUpClient(*replies).voices
    return CallTerminator(voices, ledger, Records(table), queue, lambda: NOW)


GONE = HangUpReply(404, "call_id_not_found")
UNPROVEN = [
    HangUpReply(404, "404"),
    HangUpReply(404, "DeploymentNotFound"),
    HangUpReply(404),
    HangUpReply(302),
    HangUpReply(199),
    Problem("upstream_unreachable"),
    Problem("upstream_timeout"),
    Problem("upstream_access_denied"),
]


def test_what_proves_that_a_call_is_over() -> None:
    assert [HangUpReply(status).proof_of_end for status in (200, 204)] == [WAS_LIVE] * 2
    assert GONE.proof_of_end == WAS_GONE
    unproven = [reply for reply in UNPROVEN if isinstance(reply, HangUpReply)]
    assert not any(reply.proof_of_end for reply in unproven)
    assert not HangUpReply(410, "call_id_not_found").proof_of_end


@pytest.mark.parametrize("reply", UNPROVEN, ids=str)
@pytest.mark.parametrize("way", ["admin", "limit", "refused"])
def test_a_call_counts_until_upstream_confirms_its_end(
    reply: HangUpReply | Problem, way: str
) -> None:
    terminator = terminator_on(MemoryTable(), reply, GONE, limits=Limits(live_calls=1))
    booking = terminator.ledger.book_call("ada")
    record = replace(RECORD, reference=booking.reference, ends_at=NOW)
    terminator.records.insert(record)
    if way == "refused":
        terminator.refuse_call(record)
    else:
        end = {"admin": terminator.end_by_admin, "limit": terminator.end_expired_call}[way]
        with pytest.raises(Problem, match=r"upstream_"):
            end(NAME)
    assert terminator.records.get(NAME).ended_at is None
    assert terminator.ledger.usage_of("ada").live_calls == 1
    terminator.end_expired_call(NAME)
    ended = terminator.records.get(NAME)
    assert (ended.ended_by, ended.settled_by) == ("limit", WAS_GONE)
    assert terminator.ledger.usage_of("ada").live_calls == 0


@pytest.mark.parametrize(
    ("age", "settled_by"), [(timedelta(hours=2), ""), (timedelta(hours=3), OUTLIVED)]
)
def test_a_call_that_nobody_knows_counts_no_longer_than_any_call_lasts(
    age: timedelta, settled_by: str
) -> None:
    unknown = HangUpReply(404, "NotFound", over_at=timedelta(hours=2, minutes=10))
    terminator = terminator_on(MemoryTable(), unknown, limits=Limits(live_calls=1))
    booking = terminator.ledger.book_call("ada")
    terminator.records.insert(
        replace(RECORD, reference=booking.reference, started_at=NOW - age, ends_at=NOW)
    )
    with nullcontext() if settled_by else pytest.raises(Problem, match="upstream_failed"):
        terminator.end_expired_call(NAME)
    assert terminator.records.get(NAME).settled_by == settled_by
    assert terminator.ledger.usage_of("ada").live_calls == (0 if settled_by else 1)


def test_a_line_that_was_not_freed_is_freed_though_the_process_has_died_since() -> None:
    lines, records = LedgerTable(), Records(MemoryTable())
    one, another = (
        CallTerminator(
            HangUpClient(reply).voices,
            Ledger(lines, Limits(live_calls=1), clock=lambda: NOW),
            records,
            MemoryQueue(lambda: NOW),
            lambda: NOW,
        )
        for reply in (HangUpReply(200), GONE)
    )
    booking = one.ledger.book_call("ada")
    records.insert(replace(RECORD, reference=booking.reference))
    lines.read_only = True
    assert not one.end_call(SealedCall("rtc_1", booking.reference, NAME), "caller")
    ended = records.get(NAME)
    assert (ended.ended_by, ended.settled_by) == ("caller", ""), "somebody looks at it again"
    lines.read_only = False
    another.end_expired_call(NAME)
    assert another.ledger.usage_of("ada").live_calls == 0
    ended = records.get(NAME)
    assert (ended.ended_by, ended.settled_by) == ("caller", WAS_GONE)


def test_a_refused_call_that_could_not_be_hung_up_is_hung_up_later() -> None:
    terminator = terminator_on(MemoryTable(), Problem("upstream_failed"), HangUpReply(404), GONE)
    terminator.refuse_call(RECORD)
    terminator.settle_refused_calls()
    assert [each.settled_by for each in terminator.unsettled] == [""]
    terminator.settle_refused_calls()
    assert not terminator.unsettled


@pytest.mark.parametrize("ended_by", ["closed", "gone", "not found", "expired", "caller"])
def test_an_end_that_upstream_has_not_confirmed_is_hung_up_at_the_limit(ended_by: str) -> None:
    terminator = terminator_on(MemoryTable())
    terminator.records.insert(replace(RECORD, ended_at=NOW, ended_by=ended_by))
    asyncio.run(terminator.end_at_limit(Delivery(NAME)))
    assert terminator.voices("")[REALTIME].hung_up == ["rtc_1"]  # type: ignore[attr-defined]
    ended = terminator.records.get(NAME)
    assert (ended.ended_by, ended.settled_by) == (ended_by, WAS_LIVE)
    asyncio.run(terminator.end_at_limit(Delivery(NAME)))
    assert terminator.voices("")[REALTIME].hung_up == ["rtc_1"]  # type: ignore[attr-defined]


def test_columns_of_a_later_release_stay_in_a_record() -> None:
    table = MemoryTable()
    terminator = terminator_on(table)
    terminator.records.insert(RECORD)
    day, row = partition_and_row(NAME)
    entity = table.get(day, row)
    assert entity
    table.replace(entity.with_values({**entity.values, "newer": "x"}))
    terminator.end_expired_call(NAME)
    after = table.get(day, row)
    assert after
    assert (after.values["newer"], after.values["ended_by"]) == ("x", "limit")


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
    terminator.end_expired_call(other.id)
    assert terminator.records.get(NAME).ended_by == "refused"
    assert not terminator.unsettled


def test_a_refused_call_without_a_record_leaves_nothing_to_close() -> None:
    terminator = terminator_on(MemoryTable())
    terminator.refuse_call(RECORD)
    other = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"))
    terminator.records.insert(other)
    terminator.end_expired_call(other.id)
    assert not terminator.unsettled


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
    admin = AdminService(
        terminator.records,
        terminator,
        MemoryLog(),
        lambda _: {REALTIME: no_such_call},
        lambda: NOW,
        RefusalCounts(MemoryTable()),
        ObserverSettings("eager", transcripts=False, redaction=True),
    )
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
    asyncio.run(terminator.end_at_limit(Delivery(NAME)))
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


def test_an_admin_ends_the_calls_that_continue_a_call_too() -> None:
    terminator = terminator_on(MemoryTable(), HangUpReply(200), HangUpReply(200), HangUpReply(200))
    names = [NAME.replace("0123456789ab", f"{number:012x}") for number in range(3)]
    for name, after in zip(names, [*names[1:], ""], strict=True):
        booking = terminator.ledger.book_call("ada")
        terminator.records.insert(
            replace(RECORD, id=name, reference=booking.reference, continued_by=after)
        )
    terminator.end_by_admin(names[0])
    for name in names:
        found = terminator.records.get(name)
        assert (found.ended_by, found.conversation_end) == ("admin", NOW)


def test_an_admin_ends_a_call_while_no_record_can_be_written() -> None:
    table = ReadOnlyTable()
    terminator = terminator_on(table, HangUpReply(200))
    terminator.records.insert(RECORD)
    table.read_only = True
    terminator.end_by_admin(NAME)
    client = terminator.voices("")[REALTIME]
    assert isinstance(client, HangUpClient)
    assert client.hung_up == ["rtc_1"]
