"""Messages outlast an outage: what a message is to do is done, however long storage is away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.calls.records import CallRecord, Records
from shared.calls.retry import FIRST_PAUSE, LONGEST_PAUSE, is_transient, retry_until
from shared.calls.termination import CallTerminator
from shared.config.profiles import load_profiles
from shared.config.settings import Limits
from shared.config.settings_loader import load_settings
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.limits.ledger import Ledger
from shared.observer.accounting import CallAccounting
from shared.observer.call_terms import CallTerms
from shared.observer.context import Dependencies
from shared.observer.leases import Leases
from shared.observer.worker import CLOCK_SKEW, ObserverWorker, Waiting
from shared.realtime.sideband import NoSuchCall, Sideband
from shared.storage.interfaces import Entity, StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryQueue, MemoryTable
from shared.transcripts.redaction import unchanged
from shared.usage.prices import load_prices
from tests.support.vaults import FixedVault

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAME = "20300101-43200000-0123456789ab"
RECORD = CallRecord(
    NAME, "rtc_1", "ada.0123456789ab", "ada", "default", "m", "connect", NOW,
    NOW + timedelta(minutes=15),
)  # fmt: skip
MORE_THAN_ALL_TRIES = 10


class World:
    """Time passes only where somebody sleeps; storage is away until it has slept `outage` times."""

    def __init__(self, outage: int = 0) -> None:
        self.now = NOW
        self.outage = outage
        self.slept: list[float] = []
        self.hung_up: list[str] = []
        table = Away(self)
        self.records = Records(table)
        self.queue = MemoryQueue(lambda: self.now)
        ledger = Ledger(MemoryTable(), Limits(0, 0, timedelta(minutes=1), 0, 0))
        self.terminator = CallTerminator(
            self,  # type: ignore[arg-type]
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

    def hang_up(self, call_id: str, deadline: Deadline) -> bool:
        self.hung_up.append(call_id)
        return True

    def messages(self) -> int:
        self.now += timedelta(minutes=1)
        return len(self.queue.receive(visibility=timedelta(seconds=1), limit=32))

    def observing(self) -> ObserverWorker:
        env = {"REALTIME_ENDPOINT": "https://x.openai.azure.com", "REALTIME_MODEL": "m"}

        async def gone(call_id: str) -> Sideband:
            raise NoSuchCall(call_id)

        profiles = load_profiles(load_settings(env, ROOT), lambda profile: profile)
        return ObserverWorker(
            records=self.records,
            terminator=self.terminator,
            queue=self.queue,
            terms=CallTerms(profiles, FixedVault(), keep_words=True),
            accounting=CallAccounting(self.records, self.terminator.ledger, load_prices()),
            dependencies=Dependencies(
                connect=gone,
                leases=self.leases,
                log=MemoryLog(),
                redact=unchanged,
                clock=lambda: self.now,
                executor=ThreadPoolExecutor(2),
            ),
            waiting=Waiting(self.sleep, self.monotonic),
        )


class Away(MemoryTable):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def get(self, partition: str, row: str) -> Entity | None:
        if self.world.outage > 0:
            raise StorageUnavailable("away")
        return super().get(partition, row)


async def test_a_call_is_observed_however_often_storage_was_away() -> None:
    world = World(outage=MORE_THAN_ALL_TRIES)
    await world.observing().follow_call(NAME)
    assert world.records.get(NAME).ended_at is not None
    assert world.messages() == 1, "one look is to come, not one for each try"


async def test_a_call_ends_at_its_limit_however_often_storage_was_away() -> None:
    world = World(outage=MORE_THAN_ALL_TRIES)
    world.now = RECORD.ends_at - timedelta(seconds=4)
    await world.terminator.end_at_limit(NAME)
    assert world.hung_up == ["rtc_1"]
    assert world.records.get(NAME).ended_by == "limit"


async def test_a_message_of_a_call_that_was_refused_is_done_with() -> None:
    world = World()
    other = NAME.replace("0123456789ab", "ba9876543210")
    await world.terminator.end_at_limit(other)
    await world.observing().follow_call(other)
    assert not world.hung_up
    assert world.messages() == 0


@pytest.mark.parametrize("skew", [timedelta(0), -CLOCK_SKEW, timedelta(hours=-1)])
async def test_a_limit_is_no_later_for_a_clock_that_is_behind(skew: timedelta) -> None:
    world = World()
    world.now = RECORD.ends_at - timedelta(seconds=4) + skew
    await world.terminator.end_at_limit(NAME)
    assert sum(world.slept) <= 4
    assert world.hung_up == ["rtc_1"]


async def test_a_message_that_comes_late_sends_another_before_it_does_anything() -> None:
    early, late, over = World(), World(), World()
    early.now = RECORD.ends_at - timedelta(seconds=4)
    late.now = over.now = RECORD.ends_at + timedelta(seconds=11)
    over.records.mark_ended(NAME, "caller", NOW)
    for world, sent in ((early, 0), (late, 1), (over, 0)):
        await world.terminator.end_at_limit(NAME)
        assert world.messages() == sent


async def test_a_lease_is_not_waited_for_longer_than_it_lasts() -> None:
    world = World()
    observing = world.observing()
    ahead = Leases(world.leases.table, timedelta(seconds=30), clock=lambda: NOW + CLOCK_SKEW)
    ahead.acquire(RECORD.call_id, "another")
    observing.schedule_next_look(replace(RECORD))
    world.now += timedelta(seconds=31)
    assert world.queue.receive(visibility=timedelta(seconds=1))


async def test_what_cannot_pass_is_raised_at_once_and_what_lasts_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()

    async def fails() -> None:
        raise failure

    for failure in (Problem("call_not_found"), ValueError("a mistake of ours")):
        with pytest.raises(type(failure)):
            await retry_until(fails, timedelta(hours=1), sleep=world.sleep)
    assert not world.slept
    monkeypatch.setattr("shared.calls.retry.random.uniform", lambda _, longest: longest)
    failure = StorageUnavailable("away")
    for within in (FIRST_PAUSE * 1.1, timedelta(minutes=10)):
        world = World()
        with pytest.raises(StorageUnavailable):
            await retry_until(fails, within, sleep=world.sleep, monotonic=world.monotonic)
        assert sum(world.slept) <= within.total_seconds()
    assert max(world.slept) <= 1.25 * LONGEST_PAUSE.total_seconds()


def test_what_is_transient() -> None:
    away = [StorageUnavailable("x"), Problem("storage_unavailable"), Problem("upstream_failed")]
    assert all(is_transient(error) for error in away)
    assert not any(is_transient(error) for error in (Problem("call_not_found"), KeyError("x")))
