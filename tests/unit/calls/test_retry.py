"""A message is handled however long storage is unavailable."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.calls.delivery import Delivery
from shared.calls.records import Records
from shared.calls.retry import FIRST_PAUSE, LONGEST_PAUSE, is_transient, retry_until
from shared.calls.termination import CallTerminator
from shared.config.profiles import load_profiles
from shared.config.settings import Limits
from shared.config.settings_loader import load_settings
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.observer.accounting import CallAccounting
from shared.observer.call_terms import CallTerms
from shared.observer.context import Dependencies
from shared.observer.leases import Leases
from shared.observer.timing import Timing
from shared.observer.worker import CLOCK_SKEW, ObserverWorker, Waiting
from shared.sideband.sideband import Connect
from shared.storage.interfaces import Entity, StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from shared.transcripts.redaction import unchanged
from shared.upstream.hang_up_reply import WAS_LIVE, HangUpReply
from shared.usage.price_files import load_prices
from tests.support.call_records import call_record
from tests.support.hang_up_client import HangUpClient, no_such_call
from tests.support.vaults import FixedVault

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
RECORD = call_record(NOW)
NAME = RECORD.id
MANY_SLEEPS = 10
WITHOUT_PAUSES = Timing(pauses_after_404=())


class World:
    """Time passes only in `sleep`; storage is unavailable until it has slept `outage` times."""

    def __init__(self, outage: int = 0) -> None:
        self.now = NOW
        self.outage = outage
        self.slept: list[float] = []
        self.client = HangUpClient()
        table = UnavailableTable(self)
        self.records = Records(table)
        self.queue = MemoryQueue(lambda: self.now)
        limits = Limits(0, 1, timedelta(minutes=1), 0, 0)
        ledger = Ledger(MemoryTable(), limits, clock=lambda: self.now)
        self.terminator = CallTerminator(
            self.client.voices,
            ledger,
            self.records,
            self.queue,
            lambda: self.now,
            self.sleep,
            self.monotonic,
        )
        self.leases = Leases(MemoryTable(), timedelta(seconds=30), clock=lambda: self.now)
        self.records.insert(RECORD)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.outage -= 1

    def monotonic(self) -> float:
        return self.now.timestamp()

    def messages(self) -> int:
        self.now += timedelta(minutes=1)
        return len(self.queue.receive(visibility=timedelta(seconds=1), limit=32))

    def observing(self, connect: Connect = no_such_call) -> ObserverWorker:
        env = {"REALTIME_ENDPOINT": "https://x.openai.azure.com", "REALTIME_MODEL": "m"}
        profiles = load_profiles(load_settings(env, ROOT), lambda profile: profile)
        return ObserverWorker(
            records=self.records,
            terminator=self.terminator,
            queue=self.queue,
            terms=CallTerms(profiles, FixedVault(), keep_words=True),
            accounting=CallAccounting(self.records, self.terminator.ledger, load_prices()),
            dependencies=Dependencies(
                connect=connect,
                leases=self.leases,
                log=MemoryLog(),
                redact=unchanged,
                clock=lambda: self.now,
                executor=ThreadPoolExecutor(2),
            ),
            waiting=Waiting(self.sleep, self.monotonic),
            timing=WITHOUT_PAUSES,
        )


class UnavailableTable(MemoryTable):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def get(self, partition: str, row: str) -> Entity | None:
        if self.world.outage > 0:
            raise StorageUnavailable("unavailable")
        return super().get(partition, row)


async def test_a_call_is_observed_after_an_outage_of_storage() -> None:
    world = World(outage=MANY_SLEEPS)
    await world.observing().follow_call(Delivery(NAME))
    assert world.records.get(NAME).ended_at is not None
    assert world.messages() == 1, "one follow-up message, not one for each try"


async def test_a_call_ends_at_its_limit_after_an_outage_of_storage() -> None:
    world = World(outage=MANY_SLEEPS)
    world.now = RECORD.ends_at - timedelta(seconds=4)
    await world.terminator.end_at_limit(Delivery(NAME))
    assert world.client.hung_up == ["rtc_1"]
    assert world.records.get(NAME).ended_by == "limit"


async def test_the_lease_of_a_call_is_deleted_once_the_call_is_over() -> None:
    world = World()
    await world.observing().follow_call(Delivery(NAME))
    assert world.leases.table.get("rtc_1", "observer") is not None, "the run was there"
    assert world.messages() == 1
    await world.observing().follow_call(Delivery(NAME))
    assert world.leases.table.get("rtc_1", "observer") is None
    assert world.messages() == 1, "the end of the first one's visibility, and no new one"


async def test_the_lease_of_a_run_that_is_finishing_stays_until_it_is_given_back() -> None:
    world = World()
    lease = world.leases.acquire("rtc_1", "a run that is finishing")
    assert lease is not None
    world.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    await world.observing().follow_call(Delivery(NAME))
    assert world.leases.holder("rtc_1") == lease
    assert world.messages() == 1, "somebody looks again"
    await world.observing().follow_call(Delivery(NAME))
    assert world.leases.table.get("rtc_1", "observer") is None


async def test_the_messages_of_a_refused_call_do_nothing() -> None:
    world = World()
    other = NAME.replace("0123456789ab", "ba9876543210")
    await world.terminator.end_at_limit(Delivery(other))
    await world.observing().follow_call(Delivery(other))
    assert not world.client.hung_up
    assert world.messages() == 0


@pytest.mark.parametrize("skew", [timedelta(0), -CLOCK_SKEW, timedelta(hours=-1)])
async def test_a_clock_that_is_behind_delays_no_limit(skew: timedelta) -> None:
    world = World()
    world.now = RECORD.ends_at - timedelta(seconds=4) + skew
    await world.terminator.end_at_limit(Delivery(NAME))
    assert sum(world.slept) <= 4
    assert world.client.hung_up == ["rtc_1"]


async def test_a_late_end_message_sends_another_before_it_acts() -> None:
    early, late, over = World(), World(), World()
    early.now = RECORD.ends_at - timedelta(seconds=4)
    late.now = over.now = RECORD.ends_at + timedelta(seconds=11)
    over.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    for world, sent in ((early, 0), (late, 1), (over, 0)):
        await world.terminator.end_at_limit(Delivery(NAME))
        assert world.messages() == sent


async def test_a_lease_is_not_waited_for_longer_than_it_lasts() -> None:
    world = World()
    observing = world.observing()
    ahead = Leases(world.leases.table, timedelta(seconds=30), clock=lambda: NOW + CLOCK_SKEW)
    ahead.acquire(RECORD.call_id, "another")
    observing.arrange_next_look(Delivery(NAME), RECORD)
    world.now += timedelta(seconds=31)
    assert world.queue.receive(visibility=timedelta(seconds=1))


async def test_a_lasting_error_is_raised_at_once_and_a_transient_one_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()

    async def fails() -> None:
        raise failure

    failure: Exception
    for failure in (Problem("call_not_found"), ValueError("a mistake of ours")):
        with pytest.raises(type(failure)):
            await retry_until(fails, timedelta(hours=1), sleep=world.sleep)
    assert not world.slept
    monkeypatch.setattr("shared.calls.retry.CHANCE.uniform", lambda _, longest: longest)
    failure = StorageUnavailable("unavailable")
    for within in (FIRST_PAUSE * 1.1, timedelta(minutes=10)):
        world = World()
        with pytest.raises(StorageUnavailable):
            await retry_until(fails, within, sleep=world.sleep, monotonic=world.monotonic)
        assert sum(world.slept) <= within.total_seconds()
    assert max(world.slept) <= 1.25 * LONGEST_PAUSE.total_seconds()


def test_what_is_transient() -> None:
    transient = [
        StorageUnavailable("x"),
        Problem("storage_unavailable"),
        Problem("upstream_failed"),
    ]
    assert all(is_transient(error) for error in transient)
    assert not any(is_transient(error) for error in (Problem("call_not_found"), KeyError("x")))


async def test_an_observer_hangs_up_on_the_threads_of_what_ends_calls() -> None:
    threads: list[str] = []

    class Noted(HangUpClient):
        def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
            threads.append(threading.current_thread().name)
            return super().hang_up(call_id, deadline)

    world = World()
    with ThreadPoolExecutor(1, thread_name_prefix="ending") as ending:
        world.terminator = replace(world.terminator, voices=Noted().voices, executor=ending)
        await world.observing().dependencies_for(RECORD).hang_up()
    assert threads == ["ending_0"]
