"""Many threads that want to write the same thing: one of them writes for all that wait.

Optimistic writes melt when every thread tries on its own: of n tries at once, one succeeds. Here
the first thread to come becomes the leader, serves whoever has come by then as one batch, and hands
the lead on once its own item is served. A process has one batch under way, so what contends is the
number of processes, not of requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Waiter(Generic[T]):
    """One waiting thread's item. `turn` is set when it is done, or when the lead falls to it."""

    item: T
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    error: BaseException | None = None


class LeaderBatcher(Generic[T]):
    """Serves items in batches of up to `at_most`, one batch at a time.

    `serve` takes a batch and gives, for each item, whether it is done; the others are served again,
    before those that came later. What it raises is raised in every thread of the batch.
    """

    def __init__(self, serve: Callable[[Sequence[T]], Sequence[bool]], at_most: int) -> None:
        self.serve = serve
        self.at_most = at_most
        self.lock = threading.Lock()
        self.waiting: list[Waiter[T]] = []
        self.led = False

    def submit(self, item: T) -> None:
        """Returns once `item` has been served."""
        seat = Waiter(item)
        with self.lock:
            self.waiting.append(seat)
            leads, self.led = not self.led, True
        if not leads:
            seat.turn.wait()
        if not seat.done:
            self.lead(seat)
        if seat.error is not None:
            raise seat.error

    def lead(self, own: Waiter[T]) -> None:
        """Serves batches until `own` is done, then hands the lead on."""
        try:
            while not own.done:
                self.serve_batch()
        finally:
            with self.lock:
                if self.waiting:
                    self.waiting[0].turn.set()
                else:
                    self.led = False

    def serve_batch(self) -> None:
        """Serves those who wait; who is not done waits on, in front."""
        with self.lock:
            batch = self.waiting[: self.at_most]
            del self.waiting[: self.at_most]
        error: BaseException | None = None
        try:
            served = self.serve([seat.item for seat in batch])
        except BaseException as raised:  # it belongs to every thread of the batch
            error, served = raised, [True] * len(batch)
        left = []
        for seat, done in zip(batch, served, strict=True):
            if done:
                seat.done, seat.error = True, error
                seat.turn.set()
            else:
                left.append(seat)
        with self.lock:
            self.waiting[:0] = left
