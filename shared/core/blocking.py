"""Runs what blocks on an executor's threads, for a loop that waits for many such jobs at once.

asyncio wakes the loop through a socket for every job that ends. An instance that follows hundreds
of calls, or starts as many, has thousands of jobs a second, several of which end in each turn of
its loop: here one wake-up brings all that have ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
TOLD_AT_ONCE = 16
"""Waiters. What they do next may take long, and everything else in the loop has a turn before the
next of them."""


class EndedJobs:
    """The jobs of one loop that have ended and whose waiters do not know it yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ended: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self.is_told = False

    def add(self, waiter: asyncio.Future[Any], job: Future[Any]) -> None:
        """Called on the job's thread."""
        self.ended.append((waiter, job))
        if not self.is_told:
            self.is_told = True
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.tell_waiters)

    def tell_waiters(self) -> None:
        # First of all: a job that ends meanwhile is told now, or tells the loop again.
        self.is_told = False
        for _ in range(min(len(self.ended), TOLD_AT_ONCE)):
            tell_waiter(*self.ended.popleft())
        if self.ended:
            self.is_told = True
            self.loop.call_soon(self.tell_waiters)


def tell_waiter(waiter: asyncio.Future[Any], job: Future[Any]) -> None:
    """Gives the waiter what the job gave or raised, unless it waits no more."""
    if waiter.done():
        return
    try:
        waiter.set_result(job.result())
    except CancelledError:
        waiter.cancel()
    except StopIteration as error:
        # A future takes any other exception; whoever waits after this one must not wait on.
        waiter.set_exception(RuntimeError(f"a job raised {error!r}"))
    except BaseException as error:
        waiter.set_exception(error)


class OwnJobs(threading.local):
    """Those of the loop that runs on this thread."""

    jobs: EndedJobs | None = None


OWN = OwnJobs()


def ended_jobs(loop: asyncio.AbstractEventLoop) -> EndedJobs:
    """Those of a loop that runs on this thread."""
    if OWN.jobs is None or OWN.jobs.loop is not loop:
        OWN.jobs = EndedJobs(loop)
    return OWN.jobs


async def run_blocking(executor: Executor | None, work: Callable[[], T]) -> T:
    """What `work` gives or raises, as `loop.run_in_executor`."""
    loop = asyncio.get_running_loop()
    if executor is None:
        return await loop.run_in_executor(None, work)
    waiter: asyncio.Future[T] = loop.create_future()
    job = executor.submit(work)
    job.add_done_callback(partial(ended_jobs(loop).add, waiter))
    try:
        return await waiter
    except asyncio.CancelledError:
        # Does nothing to a job that has begun.
        job.cancel()
        raise
