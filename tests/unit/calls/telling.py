"""A broker that tells of calls that have ended, for tests, and everybody who ends one."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from shared.calls.end_events import EndEvents
from shared.calls.handles import Handles
from shared.calls.new_call import SealedCall
from shared.calls.records import Records
from shared.calls.service import CallService
from shared.calls.termination import CallTerminator
from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.observer.accounting import CallAccounting
from shared.observer.leases import Leases
from shared.observer.sweep import CallSweep
from shared.storage.interfaces import Entity, Message, StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from shared.upstream.answer import UnusableAnswer
from shared.usage.price_files import load_prices
from tests.support.call_records import call_record
from tests.support.hang_up_client import HangUpClient
from tests.unit.calls.services import PROFILE
from tests.unit.calls.test_retry import World

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)

RECORD = call_record(NOW, call_id="rtc_1")

NAME = RECORD.id

SCHEMA = Draft202012Validator(
    json.loads(
        (Path(__file__).parents[3] / "docs" / "schemas" / "call-ended.schema.json").read_text()
    ),
    format_checker=Draft202012Validator.FORMAT_CHECKER,
)

HANDLES = Handles("a secret of the broker, for tests", clock=lambda: NOW)


class FailingTable(MemoryTable):
    """Fails while `away`; replaces nothing while `read_only`."""

    away = False
    read_only = False

    def get(self, partition: str, row: str) -> Entity | None:
        if self.away:
            raise StorageUnavailable("away")
        return super().get(partition, row)

    def replace(self, entity: Entity) -> Entity:
        if self.away or self.read_only:
            raise StorageUnavailable("away")
        return super().replace(entity)


class FailingQueue(MemoryQueue):
    """Takes nothing while `away`."""

    away = False

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        if self.away:
            raise StorageUnavailable("away")
        super().send(body, delay=delay, encoded=encoded)


@dataclass
class Telling:
    """A broker that tells of calls that have ended, on storage that can be taken away."""

    now: datetime = NOW
    table: FailingTable = field(default_factory=FailingTable)
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.told = FailingQueue(self.clock)
        self.ends = MemoryQueue(self.clock)
        self.records = Records(self.table)
        self.leases = Leases(MemoryTable(), timedelta(seconds=30), clock=self.clock)
        self.client = HangUpClient()
        self.terminator = self.another_instance()

    def clock(self) -> datetime:
        return self.now

    def another_instance(self) -> CallTerminator:
        """What ends calls on an instance that knows nothing but what is stored."""
        events = EndEvents(
            records=self.records,
            queue=self.told,
            files=self.log,
            container="transcripts",
            handles=lambda: HANDLES,
            is_followed=lambda call_id: self.leases.latest(call_id) is not None,
            clock=self.clock,
        )
        ledger = Ledger(MemoryTable(), Limits(0, 0), clock=self.clock)
        return CallTerminator(
            self.client.voices, ledger, self.records, self.ends, self.clock, events=events
        )

    @property
    def sweep(self) -> CallSweep:
        return CallSweep(
            self.records, self.leases, self.terminator, None, ThreadPoolExecutor(2), self.clock
        )

    def messages(self) -> list[dict[str, Any]]:
        """What has been told since this was asked last. Every message keeps to the schema."""
        found: list[Message] = self.told.receive(visibility=timedelta(days=1), limit=32)
        contents = [json.loads(each.body) for each in found]
        for content in contents:
            assert not list(SCHEMA.iter_errors(content)), content
        return contents


def end_by_caller(telling: Telling) -> None:
    telling.terminator.end_call(SealedCall("rtc_1", RECORD.reference, NAME), "caller")


def end_by_admin(telling: Telling) -> None:
    telling.terminator.end_by_admin(NAME)


def end_by_limit(telling: Telling) -> None:
    telling.terminator.end_expired_call(NAME)


def end_refused(telling: Telling) -> None:
    telling.terminator.refuse_call(RECORD)


def end_refused_later(telling: Telling) -> None:
    telling.client.replies = [Problem("upstream_timeout")]
    telling.terminator.refuse_call(RECORD)
    assert telling.messages() == [], "it is not over"
    telling.terminator.settle_refused_calls()


def end_continued(telling: Telling) -> None:
    telling.records.update(NAME, lambda record: replace(record, continued_by="the next one"))
    telling.terminator.end_expired_call(NAME)


def end_overdue(telling: Telling) -> None:
    telling.now = RECORD.ends_at + timedelta(minutes=3)
    telling.sweep.run()


WAYS: dict[str, tuple[Callable[[Telling], None], str]] = {
    "caller": (end_by_caller, "caller"),
    "admin": (end_by_admin, "admin"),
    "limit": (end_by_limit, "limit"),
    "refused": (end_refused, "refused"),
    "refused, settled later": (end_refused_later, "refused"),
    "continued": (end_continued, "continued"),
    "overdue": (end_overdue, "limit"),
}


def observing(world: World, telling: Telling) -> Any:
    """The world's worker, whose calls are told of on the queue of `telling`."""
    assert telling.terminator.events
    events = replace(
        telling.terminator.events,
        records=world.records,
        clock=lambda: world.now,
        is_followed=lambda call_id: world.leases.latest(call_id) is not None,
    )
    worker = world.observing()
    return replace(
        worker,
        terminator=replace(worker.terminator, events=events),
        accounting=CallAccounting(world.records, worker.terminator.ledger, load_prices()),
    )


def lose_answer(telling: Telling, service: CallService) -> CallTerminator:
    """The answer to ada's offer is lost, and with it the id of the call. What ends calls of the
    service."""
    events = telling.terminator.events
    assert events
    terminator = replace(
        service.terminator,
        end_queue=telling.ends,
        events=replace(events, records=service.dispatcher.records),
    )
    starts = replace(service, terminator=terminator).starts
    booking = service.ledger.book_call("ada")
    lost = UnusableAnswer(None, Problem("upstream_timeout"))
    assert not starts.give_up_call(lost, booking, PROFILE)
    return terminator
