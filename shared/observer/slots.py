"""How many calls an instance follows, and whether it may follow one more.

An instance that is full, or that is to stop, must not take a call that another instance could
follow, nor keep its message to itself: the message goes back to the queue for the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.core.stopping import Stopping

FULL = "full"
STOPPING = "stopping"


class ObserverSlots:
    """At most `capacity` calls are followed at a time. Safe to share between threads."""

    def __init__(self, capacity: int, stopping: Stopping) -> None:
        self.capacity = capacity
        self.stopping = stopping
        self.lock = threading.Lock()
        self.taken = 0

    @contextmanager
    def reserve(self) -> Iterator[str]:
        """Holds a slot meanwhile. Gives "", or why there is none."""
        with self.lock:
            if self.stopping.has_begun:
                refused = STOPPING
            else:
                refused = FULL if self.taken >= self.capacity else ""
            self.taken += not refused
        try:
            yield refused
        finally:
            with self.lock:
                self.taken -= not refused
