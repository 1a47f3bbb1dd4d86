"""Batches writes of many threads to the same rows: one thread writes for all that wait.

Optimistic writes do not scale if every thread tries on its own: of n concurrent attempts, one
succeeds. Here the first thread to arrive becomes the leader, processes everything submitted so far
as one batch, and passes the lead on once its own item is done. A process has one batch in flight,
so it is processes that contend, not requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiter(Generic[T]):
    """A waiting thread's item. `turn` is set when it is done, or when this thread must lead."""

    item: T
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    error: BaseException | None = None


class LeaderBatcher(Generic[T]):
    """Processes items in batches of up to `max_batch`, one batch at a time.

    `process` takes a batch and gives, for each item, whether it is done. The others are processed
    again, ahead of those submitted later. What it raises is raised in every thread of the batch.
    """

    def __init__(self, process: Callable[[Sequence[T]], Sequence[bool]], max_batch: int) -> None:
        self.process = process
        self.max_batch = max_batch
        self.lock = threading.Lock()
        self.waiting: list[Waiter[T]] = []
        self.has_leader = False

    def submit(self, item: T) -> None:
        """Returns once `item` is done. Raises what processing its batch raised."""
        waiter = Waiter(item)
        with self.lock:
            self.waiting.append(waiter)
            leads, self.has_leader = not self.has_leader, True
        if not leads:
            waiter.turn.wait()
        if not waiter.done:
            self.lead_batches(waiter)
        if waiter.error is not None:
            raise waiter.error

    def lead_batches(self, own: Waiter[T]) -> None:
        """Processes batches until `own` is done, then passes the lead on."""
        try:
            while not own.done:
                self.process_batch()
        finally:
            with self.lock:
                if self.waiting:
                    self.waiting[0].turn.set()
                else:
                    self.has_leader = False

    def process_batch(self) -> None:
        """Processes what is waiting; items that are not done stay at the front."""
        with self.lock:
            batch = self.waiting[: self.max_batch]
            del self.waiting[: self.max_batch]
        error: BaseException | None = None
        try:
            results = self.process([waiter.item for waiter in batch])
        except BaseException as raised:  # it belongs to every thread of the batch
            error, results = raised, [True] * len(batch)
        left = []
        for waiter, done in zip(batch, results, strict=True):
            if done:
                waiter.done, waiter.error = True, error
                waiter.turn.set()
            else:
                left.append(waiter)
        with self.lock:
            self.waiting[:0] = left
