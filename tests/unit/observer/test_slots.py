"""An instance that is full, or is to stop: it takes no call and keeps no message to itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.calls.delivery import Delivery
from shared.core.problems import Problem
from shared.core.stopping import Stopping
from shared.observer.slots import FULL, STOPPING, ObserverSlots
from shared.observer.sweep import CallSweep
from shared.observer.waiting import LATE_AFTER, observer_checks
from shared.observer.worker import CLOCK_SKEW, ObserverWorker
from shared.storage.interfaces import Message
from tests.unit.calls.test_retry import NAME, NOW, RECORD, World

SECOND = timedelta(seconds=1)
WAITS = "call waits for observer"


class Instance:
    """One instance of an app whose only call is `NAME`."""

    def __init__(self, capacity: int) -> None:
        self.world = World()
        self.slots = ObserverSlots(capacity, Stopping())

    @property
    def worker(self) -> ObserverWorker:
        return replace(self.world.observing(), slots=self.slots)

    async def deliver(self) -> None:
        await self.worker.follow_call(Delivery(NAME, tries=3))

    def visible(self) -> list[Message]:
        return self.world.queue.receive(visibility=SECOND, limit=32)

    def is_dialled(self) -> bool:
        return self.world.leases.latest("rtc_1") is not None


def test_slots_are_counted_and_given_back() -> None:
    slots = ObserverSlots(2, Stopping())
    with slots.reserve() as one, slots.reserve() as two, slots.reserve() as three:
        assert (one, two, three) == ("", "", FULL)
        assert slots.taken == 2
    assert slots.taken == 0
    slots.stopping.begin()
    with slots.reserve() as refused:
        assert refused == STOPPING


def make_full(instance: Instance) -> None:
    instance.slots.taken = instance.slots.capacity


def stop(instance: Instance) -> None:
    instance.slots.stopping.begin()


@pytest.mark.parametrize("cause", [make_full, stop])
async def test_a_call_that_cannot_be_followed_here_is_left_to_others(
    cause: Callable[[Instance], None],
) -> None:
    instance = Instance(1)
    cause(instance)
    await instance.deliver()
    assert not instance.is_dialled()
    assert instance.visible() == []
    instance.world.now += SECOND
    (message,) = instance.visible()
    assert Delivery.of(message.body).tries == 3, "it was not tried"


async def test_a_call_is_followed_once_there_is_room() -> None:
    instance = Instance(1)
    with instance.slots.reserve():
        await instance.deliver()
        assert not instance.is_dialled()
    await instance.deliver()
    assert instance.is_dialled()
    assert instance.slots.taken == 0


async def test_a_call_that_waits_long_is_logged_and_offered_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    instance = Instance(1)
    make_full(instance)
    instance.world.now += 2 * SECOND
    await instance.deliver()
    assert WAITS not in caplog.text
    instance.world.now += LATE_AFTER + 13 * SECOND
    assert len(instance.visible()) == 1
    instance.world.queue = type(instance.world.queue)(lambda: instance.world.now)
    await instance.deliver()
    assert f'{WAITS} {{"call": "{NAME}", "seconds": 30, "reason": "full"}}' in caplog.text
    instance.world.now += 2 * SECOND
    assert instance.visible() == []
    instance.world.now += SECOND
    assert len(instance.visible()) == 1


async def test_a_call_that_is_offered_is_left_to_others_at_once() -> None:
    instance = Instance(1)
    leases = instance.world.leases
    lease = leases.acquire("rtc_1", "first")
    assert lease is not None
    make_full(instance)
    instance.world.now += LATE_AFTER
    leases.offer(leases.renew(lease))
    await instance.deliver()
    instance.world.now += SECOND
    assert len(instance.visible()) == 1
    assert leases.latest("rtc_1").holder == "first"  # type: ignore[union-attr]


async def test_a_full_instance_ends_a_call_that_is_past_its_end() -> None:
    instance = Instance(1)
    make_full(instance)
    instance.world.now = RECORD.ends_at + CLOCK_SKEW
    await instance.deliver()
    assert instance.world.client.hung_up == ["rtc_1"]


async def test_a_full_instance_writes_the_end_of_a_settled_call() -> None:
    instance = Instance(1)
    await instance.deliver()
    make_full(instance)
    await instance.deliver()
    assert not instance.is_dialled(), "its lease is deleted"


async def test_the_first_run_of_a_call_that_waited_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    instance = Instance(1)
    instance.world.now += LATE_AFTER
    await instance.deliver()
    assert f'{WAITS} {{"call": "{NAME}", "seconds": 15, "reason": "late"}}' in caplog.text


def test_a_call_that_nobody_follows_is_found_by_health_and_by_the_sweep(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    (check,) = observer_checks("eager", world.records, world.leases, lambda: world.now).values()
    sweep = CallSweep(
        world.records,
        world.leases,
        world.terminator,
        world.queue,
        world.observing().dependencies.executor,  # type: ignore[arg-type]
        lambda: world.now,
    )
    check()
    sweep.run()
    assert WAITS not in caplog.text
    world.now = NOW + LATE_AFTER
    with pytest.raises(Problem, match="calls_unobserved"):
        check()
    sweep.run()
    assert f'{WAITS} {{"call": "{NAME}", "seconds": 15, "reason": "nobody"}}' in caplog.text
    world.leases.acquire("rtc_1", "run")
    check()
    assert observer_checks("off", world.records, world.leases, lambda: world.now) == {}
