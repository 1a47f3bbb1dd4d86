"""Jobs on threads, whose ends come to the loop together."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from shared.core.blocking import TOLD_AT_ONCE, run_blocking


async def test_each_waiter_gets_what_its_own_job_gave_or_raised() -> None:
    def work(number: int) -> int:
        if number % 3 == 0:
            raise LookupError(number)
        return number

    with ThreadPoolExecutor(8) as pool:
        jobs = [run_blocking(pool, partial(work, number)) for number in range(200)]
        found = await asyncio.gather(*jobs, return_exceptions=True)
    for number, each in enumerate(found):
        if number % 3 == 0:
            assert isinstance(each, LookupError)
        else:
            assert each == number


async def test_without_an_executor_the_loops_own_is_used() -> None:
    assert await run_blocking(None, threading.get_ident) != threading.get_ident()


async def test_jobs_that_end_together_are_told_in_one_wake_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, wake_ups = asyncio.get_running_loop(), 0
    call = loop.call_soon_threadsafe

    def counted(*arguments: object) -> asyncio.Handle:
        nonlocal wake_ups
        wake_ups += 1
        return call(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    with ThreadPoolExecutor(4) as pool:
        jobs = [asyncio.ensure_future(run_blocking(pool, lambda: None)) for _ in range(50)]
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251
        await asyncio.gather(*jobs)
    assert wake_ups == 1


async def test_while_many_waiters_are_told_others_have_a_turn() -> None:
    told: list[int] = []

    async def wait(pool: ThreadPoolExecutor, number: int) -> None:
        await run_blocking(pool, lambda: None)
        told.append(number)

    async def look() -> set[int]:
        seen = set()
        while len(told) < 50:
            await asyncio.sleep(0)
            seen.add(len(told))
        return seen

    with ThreadPoolExecutor(4) as pool:
        waiting = [asyncio.ensure_future(wait(pool, number)) for number in range(50)]
        await asyncio.sleep(0)
        pool.shutdown()
        seen = await look()
        await asyncio.gather(*waiting)
    assert len(seen) > 50 // TOLD_AT_ONCE, "not all of them in one turn"


async def test_a_waiter_that_is_gone_takes_its_job_along() -> None:
    held, begun = threading.Event(), []
    with ThreadPoolExecutor(1) as pool:
        first = asyncio.ensure_future(run_blocking(pool, held.wait))
        second = asyncio.ensure_future(run_blocking(pool, lambda: begun.append(1)))
        await asyncio.sleep(0.01)
        for task in (first, second):
            task.cancel()
        assert await asyncio.gather(first, second, return_exceptions=True)
        held.set()
        assert await run_blocking(pool, lambda: 7) == 7
    assert begun == [], "it had not begun"


def test_each_loop_of_a_thread_has_its_own() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(run_blocking(pool, lambda: 1)) == 1
        assert asyncio.run(run_blocking(pool, lambda: 2)) == 2


async def test_a_job_that_raises_stop_iteration_holds_nobody_up() -> None:
    ready = threading.Event()

    def stop() -> None:
        ready.wait(10)
        raise StopIteration

    with ThreadPoolExecutor(1) as pool:
        jobs = asyncio.gather(
            run_blocking(pool, stop), run_blocking(pool, lambda: 1), return_exceptions=True
        )
        asyncio.get_running_loop().call_soon(ready.set)
        stopped, found = await asyncio.wait_for(jobs, 10)
    assert (type(stopped), found) == (RuntimeError, 1)
