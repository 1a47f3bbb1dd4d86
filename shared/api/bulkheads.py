"""Thread pools that cannot fill each other: what starts calls, what ends them, and the rest.

A start waits for upstream on its thread, for half a minute where upstream stalls. So starts have
threads of their own, and a bound on how many wait for one: a start that gets no thread in time is
refused. What ends calls, and health, never waits behind them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from shared.core.problems import Problem

T = TypeVar("T")


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
        """What `work` gives. Raises what it raises, and Problem instance_busy."""
        with self.lock:
            full = self.accepted >= self.threads
            if full and self.limit and self.accepted >= self.threads + self.limit.waiting:
                raise busy()
            self.accepted += 1
        future = self.pool.submit(work)
        future.add_done_callback(self.finished)
        result = asyncio.wrap_future(future)
        if full and self.limit:
            await asyncio.wait({result}, timeout=self.limit.patience.total_seconds())
            # Only what has not begun can be cancelled.
            if future.cancel():
                raise busy()
        return await result

    def finished(self, _: Future[T]) -> None:
        with self.lock:
            self.accepted -= 1


def busy() -> Problem:
    return Problem("instance_busy", retry_after=timedelta(seconds=5))


STARTS = Bulkhead("starts", 256, QueueLimit(waiting=256, patience=timedelta(seconds=5)))
"""Functions' own pool has few threads by default, and a start waits for upstream on one."""
ENDS = Bulkhead("ends", 64)
READS = Bulkhead("reads", 64)
"""Everything else that requests ask for."""
HEALTH = Bulkhead("health", 4)
"""Asks nobody."""
MESSAGES = Bulkhead("messages", 8)
"""What queue functions do before they act."""
