"""Every call that has ended is told of at least once, whoever ended it and whatever dies
meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.auth.caller import Caller
from shared.calls.call_record import to_entity
from shared.calls.call_status import status_for_caller
from shared.calls.delivery import Delivery
from shared.calls.end_events import LEFT_TO_OBSERVER, EndEvents, try_to_publish
from shared.calls.ended_call import MOST_BYTES, KeptFiles, ended_call_message
from shared.calls.handles import Handles
from shared.calls.new_call import SealedCall, open_handle
from shared.calls.records import Records
from shared.calls.termination import CallTerminator
from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.observer.accounting import CallAccounting
from shared.observer.context import ObserverResult, Outcome, Tally
from shared.observer.leases import Leases
from shared.observer.sweep import CallSweep
from shared.storage.interfaces import Entity, Message, StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from shared.upstream.answer import UnusableAnswer
from shared.upstream.hang_up_reply import WAS_GONE, WAS_LIVE
from shared.usage.call_usage import CallUsage
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage
from tests.support.call_records import call_record
from tests.support.hang_up_client import HangUpClient
from tests.support.scripted_endpoint import Upstream
from tests.unit.calls.services import PROFILE, calls
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


@pytest.fixture
def telling() -> Telling:
    return Telling()


def test_a_message_says_what_the_record_says_and_where_the_words_lie(telling: Telling) -> None:
    telling.log.append("rtc_1.jsonl", b"what was said\n", at=0)
    record = replace(
        RECORD,
        usage={"text_in": 5, "seconds": 1.5, "of a later release": 7},
        cost="0.0123",
        prices_as_of="2029-12-01",
        observed="yes",
        session_model="gpt-realtime-1.5",
        failures={"response_failed": {"words of a page": 1}},
    )
    telling.records.insert(record)
    telling.now += timedelta(seconds=61.5)
    telling.terminator.end_by_admin(NAME)
    [message] = telling.messages()
    handle = message.pop("handle")
    sealed = open_handle(HANDLES, handle, Caller("ada", frozenset(), "anonymous"))
    assert (sealed.call_id, sealed.record_id) == ("rtc_1", NAME)
    assert message == {
        "schema": 1,
        "call": NAME,
        "caller": "ada",
        "profile": "default",
        "model": "gpt-realtime",
        "session_model": "gpt-realtime-1.5",
        "api": "realtime",
        "endpoint": "default",
        "started_by": "connect",
        "started_at": "2030-01-01T12:00:00.000+00:00",
        "ends_at": "2030-01-01T12:15:00.000+00:00",
        "ended_at": "2030-01-01T12:01:01.500+00:00",
        "ended_by": "admin",
        "seconds": 61.5,
        "observed": True,
        "usage": {"text_in": 5, "seconds": 1.5},
        "cost": "0.0123",
        "prices_as_of": "2029-12-01",
        "transcript": {
            "container": "transcripts",
            "blob": "rtc_1.jsonl",
            "route": f"calls/{NAME}/transcript",
        },
    }
    assert "what was said" not in json.dumps(message)


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


@pytest.mark.parametrize("way", WAYS)
def test_whoever_ends_a_call_it_is_told_of_once(telling: Telling, way: str) -> None:
    end, ended_by = WAYS[way]
    telling.records.insert(RECORD)
    end(telling)
    assert [(each["call"], each["ended_by"]) for each in telling.messages()] == [(NAME, ended_by)]
    telling.now = RECORD.ends_at + timedelta(minutes=4)
    for again in (end_by_caller, end_by_limit, lambda telling: telling.sweep.run()):
        again(telling)
    assert telling.messages() == []


def test_a_call_whose_answer_was_lost_is_told_of(endpoint: Upstream) -> None:
    service, telling = calls(endpoint), Telling()
    events = telling.terminator.events
    assert events
    terminator = replace(
        service.terminator, events=replace(events, records=service.dispatcher.records)
    )
    starts = replace(service, terminator=terminator).starts
    booking = service.ledger.book_call("ada")
    lost = UnusableAnswer(None, Problem("upstream_timeout"))
    assert not starts.give_up_call(lost, booking, PROFILE)
    [message] = telling.messages()
    assert (message["caller"], message["ended_by"]) == ("ada", "no answer")
    assert not {"transcript", "recording"} & message.keys()


OBSERVED_ENDS = ("closed", "time limit", "token budget", "usage not readable", "gone", "not found",
                 "expired", "connection_lost")  # fmt: skip


@pytest.mark.parametrize("reason", OBSERVED_ENDS)
async def test_an_observer_tells_of_its_call_with_all_that_it_has_counted(reason: str) -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    lease = world.leases.acquire("rtc_1", "a run")
    assert lease
    used = CallUsage(Usage(text_in=3, audio_out=4))
    result = ObserverResult(Outcome.ENDED, reason, Tally(used), WAS_GONE)
    worker.act_on_result(world.records.get(NAME), result)
    [message] = telling.messages()
    assert message["ended_by"] == reason
    assert message["usage"] == used.counts()
    assert message["observed"]


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


async def test_a_call_that_its_caller_ends_is_told_of_by_its_observer_once() -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    assert world.leases.acquire("rtc_1", "a run")
    worker.terminator.end_call(SealedCall("rtc_1", RECORD.reference, NAME), "caller")
    assert telling.messages() == [], "what it has used is not on record yet"
    used = CallUsage(Usage(audio_out=4))
    before = replace(world.records.get(NAME), settled_by="")
    worker.act_on_result(before, ObserverResult(Outcome.ENDED, "", Tally(used), WAS_GONE))
    [message] = telling.messages()
    assert (message["ended_by"], message["usage"]) == ("caller", used.counts())
    worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert telling.messages() == []
    assert world.leases.latest("rtc_1") is None


async def test_the_last_look_at_a_settled_call_tells_of_it_and_only_then_forgets_it() -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    assert world.leases.acquire("rtc_1", "a run that was killed")
    world.records.mark_ended(NAME, "caller", world.now, WAS_LIVE)
    telling.told.away = True
    with pytest.raises(StorageUnavailable):
        worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert world.leases.latest("rtc_1") is not None, "so the call is looked at again"
    telling.told.away = False
    worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert len(telling.messages()) == 1
    assert world.leases.latest("rtc_1") is None


def test_a_host_killed_between_settling_and_telling_is_made_up_for_by_the_sweep(
    telling: Telling,
) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.sweep.run()
    assert telling.messages() == [], "whoever settled it may be about to tell"
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["ended_by"] for each in telling.messages()] == ["caller"]
    telling.sweep.run()
    assert telling.messages() == []


def test_a_call_whose_observer_never_comes_back_is_told_of_all_the_same(telling: Telling) -> None:
    telling.records.insert(RECORD)
    assert telling.leases.acquire("rtc_1", "a run whose messages somebody has deleted")
    telling.terminator.end_by_admin(NAME)
    assert telling.messages() == []
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["ended_by"] for each in telling.messages()] == ["admin"]


async def test_a_host_killed_between_settling_and_telling_is_made_up_for_by_the_end_message(
    telling: Telling,
) -> None:
    """Also where the sweep does not look any more, because everything was down for days."""
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.now += timedelta(days=3)
    telling.sweep.run()
    assert telling.messages() == []
    await telling.another_instance().end_at_limit(Delivery(NAME))
    assert [each["ended_by"] for each in telling.messages()] == ["caller"]
    assert telling.client.hung_up == []


def test_a_host_killed_between_telling_and_noting_it_is_told_of_twice(telling: Telling) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.table.read_only = True
    try_to_publish(telling.terminator.events, NAME)
    telling.table.read_only = False
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["call"] for each in telling.messages()] == [NAME, NAME]


async def test_an_end_message_comes_back_until_the_queue_takes_what_is_to_be_told(
    telling: Telling,
) -> None:
    telling.records.insert(RECORD)
    telling.now = RECORD.ends_at
    telling.told.away = True
    with pytest.raises(StorageUnavailable):
        telling.terminator.end_expired_call(NAME)
    assert telling.records.get(NAME).settled_by == WAS_LIVE, "the call is over all the same"
    telling.told.away = False
    telling.terminator.end_expired_call(NAME)
    assert len(telling.messages()) == 1


@pytest.mark.parametrize("way", ["caller", "admin", "refused"])
def test_storage_that_is_away_costs_no_call_its_end_and_no_end_its_message(
    telling: Telling, way: str
) -> None:
    telling.records.insert(RECORD)
    telling.told.away = True
    WAYS[way][0](telling)
    assert telling.client.hung_up == ["rtc_1"]
    assert telling.records.get(NAME).settled_by
    telling.told.away = False
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert len(telling.messages()) == 1


def test_two_instances_tell_of_a_call_twice_at_the_most(telling: Telling) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    record = telling.records.get(NAME)
    for instance in (telling.terminator, telling.another_instance()):
        assert instance.events
        instance.events.publish_record(record)
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert len(telling.messages()) == 2


def test_a_record_that_nothing_can_be_told_of_costs_no_other_call(telling: Telling) -> None:
    odd = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"), call_id="a/b\\c?#\n")
    values = {**to_entity(odd).values, "ended_at": NOW, "settled_by": "x", "model": "m" * 30_000}
    telling.table.insert(Entity(odd.id[:8], odd.id[9:], values))
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert {each["call"] for each in telling.messages()} == {NAME, odd.id}


def test_a_message_names_the_endpoint_that_the_call_belonged_to(telling: Telling) -> None:
    telling.records.insert(replace(RECORD, endpoint="sweden"))
    telling.terminator.end_by_admin(NAME)
    assert [each["endpoint"] for each in telling.messages()] == ["sweden"]


def test_the_caller_learns_the_id_that_messages_have(telling: Telling) -> None:
    assert status_for_caller(RECORD)["id"] == NAME


numbers = st.one_of(st.floats(), st.integers(), st.integers(min_value=10**300), st.text())


@example(texts=["\0" * 3000] * 10, usage={}, moment=NOW)
@example(texts=["\ud800\U0010ffff" * 1500] * 10, usage={}, moment=NOW)
@given(
    texts=st.lists(st.text(max_size=3000), min_size=10, max_size=10),
    usage=st.dictionaries(
        st.sampled_from(["text_in", "seconds"]) | st.text(), numbers, max_size=60
    ),
    moment=st.datetimes(timezones=st.just(UTC)),
)
def test_no_message_is_too_large_for_the_queue_or_breaks_the_schema(
    texts: list[str], usage: dict[str, Any], moment: datetime
) -> None:
    record = replace(
        RECORD,
        caller_id=texts[0],
        profile=texts[1],
        endpoint=texts[7],
        model=texts[2],
        session_model=texts[3],
        ended_by=texts[4],
        cost=texts[5],
        prices_as_of=texts[6],
        continues=texts[7],
        continued_by=texts[8],
        observed=texts[9],
        usage=usage,
        transcription=usage,
        ended_at=moment,
    )
    kept = KeptFiles("x" * 512, "y" * 512)
    body = ended_call_message(record, "h" * 512, "transcripts", kept)
    assert len(body.encode()) <= MOST_BYTES
    assert not list(SCHEMA.iter_errors(json.loads(body)))
