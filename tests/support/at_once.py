"""Threads that start together, for tests of contention."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def at_once(number: int, work: Callable[[int], T]) -> list[T]:
    """Runs `work(index)` in `number` threads that start together; returns the results in order.

    Raises what `work` raises.
    """
    barrier = Barrier(number)

    def run(index: int) -> T:
        barrier.wait()
        return work(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, range(number)))
