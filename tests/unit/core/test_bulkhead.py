"""Threads for each kind of work: how many wait for one, and how long."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from shared.core.bulkhead import Bulkhead, QueueLimit
from shared.core.problems import Problem

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=1)


class Stalled:
    """Work that occupies threads until it is let go."""

    def __init__(self, bulkhead: Bulkhead) -> None:
        self.bulkhead = bulkhead
        self.let_go = threading.Event()
        self.tasks: list[asyncio.Task[bool]] = []

    async def add(self, number: int) -> None:
        for _ in range(number):
            self.tasks.append(asyncio.create_task(self.bulkhead.run(self.let_go.wait)))
        # Each task runs up to where it waits.
        await asyncio.sleep(0)

    async def end(self) -> None:
        self.let_go.set()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def refused(bulkhead: Bulkhead) -> bool:
    try:
        return await bulkhead.run(lambda: False)
    except Problem as problem:
        return (problem.code, problem.headers["Retry-After"]) == ("instance_busy", "5")


async def test_work_that_gets_no_thread_in_time_is_refused() -> None:
    bulkhead = Bulkhead("test", 2, QueueLimit(waiting=8, patience=AT_ONCE))
    assert not await refused(bulkhead)
    stalled = Stalled(bulkhead)
    await stalled.add(2)
    assert await refused(bulkhead)
    await stalled.end()
    assert not await refused(bulkhead)
    assert bulkhead.accepted == 0


async def test_what_waits_for_a_thread_is_bounded() -> None:
    bulkhead = Bulkhead("test", 2, QueueLimit(waiting=3, patience=LONG))
    stalled = Stalled(bulkhead)
    await stalled.add(5)
    assert bulkhead.accepted == 5
    assert await refused(bulkhead), "at once, without waiting"
    await stalled.end()
    assert all(task.result() for task in stalled.tasks), "those that waited were done"
    assert bulkhead.accepted == 0


async def test_without_a_limit_everything_is_done() -> None:
    bulkhead = Bulkhead("test", 1)
    stalled = Stalled(bulkhead)
    await stalled.add(50)
    await stalled.end()
    assert all(task.result() for task in stalled.tasks)


async def test_an_error_reaches_whoever_waits() -> None:
    bulkhead = Bulkhead("test", 1, QueueLimit(waiting=2, patience=LONG))
    stalled = Stalled(bulkhead)
    await stalled.add(1)
    waiting = asyncio.create_task(bulkhead.run(lambda: int("none")))
    await asyncio.sleep(0)
    await stalled.end()
    with pytest.raises(ValueError, match="none"):
        await waiting
    assert bulkhead.accepted == 0
