"""A thread pool of its own for one kind of work, so that no other kind waits behind it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from shared.core.problems import Problem

T = TypeVar("T")


class NoThreadFree(Problem):
    """Problem instance_busy: the work was not begun."""

    def __init__(self) -> None:
        super().__init__("instance_busy", retry_after=timedelta(seconds=5))


@dataclass(frozen=True, slots=True)
class QueueLimit:
    """At most `waiting` wait for a thread, each for `patience` at most."""

    waiting: int
    patience: timedelta


class Outcomes:
    """Brings what threads have done to an event loop, woken once for all that is done meanwhile.

    Waking it is a system call for the thread, and one for the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.done: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self.is_woken = False

    def add(self, result: asyncio.Future[Any], future: Future[Any]) -> None:
        """On any thread. `result` gets the outcome of `future`."""
        self.done.append((result, future))
        if not self.is_woken:
            self.is_woken = True
            # A loop that is closed has nobody left who waits.
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.deliver)

    def deliver(self) -> None:
        # First: what is added from now on either is seen below or wakes the loop again.
        self.is_woken = False
        while self.done:
            result, future = self.done.popleft()
            if result.done():
                continue
            error = future.exception()
            if error is None:
                result.set_result(future.result())
            else:
                result.set_exception(error)


OUTCOMES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Outcomes] = (
    weakref.WeakKeyDictionary()
)


def outcomes_for(loop: asyncio.AbstractEventLoop) -> Outcomes:
    """Those of that loop, asked for on it."""
    found = OUTCOMES.get(loop)
    if found is None:
        found = OUTCOMES[loop] = Outcomes(loop)
    return found


class Bulkhead:
    """`threads` threads for one kind of work. Without a limit, work waits for as long as it takes.

    Safe to share between event loops.
    """

    def __init__(self, name: str, threads: int, limit: QueueLimit | None = None) -> None:
        self.threads = threads
        self.limit = limit
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self.lock = threading.Lock()
        self.accepted = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives. Raises what it raises, and NoThreadFree."""
        with self.lock:
            full = self.accepted >= self.threads
            if full and self.limit and self.accepted >= self.threads + self.limit.waiting:
                raise NoThreadFree
            self.accepted += 1
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        future = self.pool.submit(work)
        future.add_done_callback(partial(self.finished, outcomes_for(loop), result))
        try:
            if full and self.limit:
                await asyncio.wait({result}, timeout=self.limit.patience.total_seconds())
                # Only what has not begun can be cancelled.
                if future.cancel():
                    raise NoThreadFree
            return await result
        except asyncio.CancelledError:
            # Nobody asks for the outcome any more.
            future.cancel()
            result.cancel()
            raise

    def finished(self, outcomes: Outcomes, result: asyncio.Future[T], future: Future[T]) -> None:
        with self.lock:
            self.accepted -= 1
        if not future.cancelled():
            outcomes.add(result, future)
