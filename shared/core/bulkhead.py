"""A thread pool of its own for one kind of work, so that no other kind waits behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from shared.core.blocking import EndedJobs, ended_jobs
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
        future.add_done_callback(partial(self.finished, ended_jobs(loop), result))
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

    def finished(self, ended: EndedJobs, result: asyncio.Future[T], future: Future[T]) -> None:
        with self.lock:
            self.accepted -= 1
        if not future.cancelled():
            ended.add(result, future)
