from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from shared.core.refreshing import ExpiringValue, RefreshingValue

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class World:
    """A clock that stands still, a source that counts, and background work that runs on demand."""

    def __init__(self, *, serve_stale: bool = False) -> None:
        self.now = START
        self.made = 0
        self.fails = False
        self.background: list[Callable[[], None]] = []
        self.kept = RefreshingValue(
            self.make,
            ahead=5 * MINUTE,
            clock=lambda: self.now,
            serve_stale=serve_stale,
            spawn=self.background.append,
        )

    def make(self) -> ExpiringValue[int]:
        if self.fails:
            raise ConnectionError("away")
        self.made += 1
        return ExpiringValue(self.made, self.now + 30 * MINUTE)

    def run_background(self) -> None:
        while self.background:
            self.background.pop()()


def test_a_value_is_made_once_and_kept() -> None:
    world = World()
    assert [world.kept.get() for _ in range(3)] == [1, 1, 1]


def test_it_is_renewed_ahead_of_time_in_the_background() -> None:
    world = World()
    world.kept.get()
    world.now += 26 * MINUTE
    assert [world.kept.get() for _ in range(3)] == [1, 1, 1]
    assert len(world.background) == 1
    world.run_background()
    assert (world.kept.get(), world.made) == (2, 2)


def test_an_expired_value_is_never_given() -> None:
    world = World()
    world.kept.get()
    world.now += 31 * MINUTE
    assert world.kept.get() == 2


def test_a_failed_early_renewal_reaches_no_caller_and_is_retried() -> None:
    world = World()
    world.kept.get()
    world.now += 26 * MINUTE
    world.fails = True
    world.kept.get()
    world.run_background()
    assert world.kept.get() == 1
    assert not world.background, "upstream is left alone for a while"
    world.fails = False
    world.now += 2 * MINUTE
    world.kept.get()
    world.run_background()
    assert world.kept.get() == 2


def test_a_failure_reaches_the_caller_and_the_next_one_tries_again() -> None:
    world = World()
    world.fails = True
    with pytest.raises(ConnectionError):
        world.kept.get()
    world.fails = False
    assert world.kept.get() == 1


def test_the_last_good_value_is_kept_on_request() -> None:
    world = World(serve_stale=True)
    world.kept.get()
    world.now += 60 * MINUTE
    world.fails = True
    assert world.kept.get() == 1
    world.fails = False
    world.now += 6 * MINUTE
    assert world.kept.get() == 2


def test_while_the_last_good_value_is_kept_no_caller_waits_for_another_failure() -> None:
    world = World(serve_stale=True)
    world.kept.get()
    world.now += 60 * MINUTE
    world.fails = True
    assert world.kept.get() == 1
    for _ in range(10):
        world.now += 2 * MINUTE
        assert [world.kept.get() for _ in range(3)] == [1] * 3
        assert len(world.background) == 1, "tried beside the callers"
        world.run_background()
    world.fails = False
    world.now += 2 * MINUTE
    world.kept.get()
    world.run_background()
    assert world.kept.get() == 2


def test_a_dropped_value_is_made_anew_and_a_stale_drop_does_nothing() -> None:
    world = World()
    world.kept.get()
    world.kept.drop(1)
    assert world.kept.get() == 2
    world.kept.drop(1)
    assert (world.kept.get(), world.made) == (2, 2)


def test_one_renewal_however_many_wait() -> None:
    started, release = threading.Event(), threading.Event()
    made = []

    def make() -> ExpiringValue[str]:
        made.append(1)
        started.set()
        release.wait(10)
        return ExpiringValue("key", START + 30 * MINUTE)

    kept = RefreshingValue(make, ahead=MINUTE, clock=lambda: START)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(kept.get) for _ in range(20)]
        started.wait(10)
        release.set()
        assert {one.result() for one in waiting} == {"key"}
    assert len(made) == 1
