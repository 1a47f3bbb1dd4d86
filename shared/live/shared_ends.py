"""Ends of sessions that are under way in this process: one for each session, and so few over
sidebands at a time that other calls' ends find threads.

Where a session is slow to close, its end takes a thread for up to half a minute, and whoever asks
for it again would take another one and attach once more.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from shared.core.bulkhead import NoThreadFree
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.upstream.hang_up_reply import HangUpReply

SIDEBANDS_AT_ONCE = 32
"""Of the 64 threads for what callers end, and of the 64 for limits."""
WAITING_FOR_ONE, WAITING = 3, 8
"""How many may wait for the outcome of one end that is under way, and of all ends."""


class SharedEnds:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way: dict[str, Future[HangUpReply]] = {}
        self.waiting: Counter[str] = Counter()
        self.sidebands = threading.BoundedSemaphore(SIDEBANDS_AT_ONCE)

    def end_once(
        self, call_id: str, end: Callable[[], HangUpReply], deadline: Deadline
    ) -> HangUpReply:
        """What `end` gives or, if the session is being ended already, what that end gives. Raises
        what it raises, `Problem` upstream_timeout, and NoThreadFree."""
        with self.lock:
            begun = self.under_way.get(call_id)
            if begun is None:
                mine = self.under_way[call_id] = Future[HangUpReply]()
            elif self.waiting[call_id] >= WAITING_FOR_ONE or self.waiting.total() >= WAITING:
                raise NoThreadFree
            else:
                self.waiting[call_id] += 1
        return self.wait(call_id, begun, deadline) if begun else self.lead(call_id, end, mine)

    def lead(
        self, call_id: str, end: Callable[[], HangUpReply], mine: Future[HangUpReply]
    ) -> HangUpReply:
        """Ends the session, and tells those who wait."""
        try:
            reply = end()
        except BaseException as error:
            self.finish(call_id)
            mine.set_exception(error)
            raise
        self.finish(call_id)
        mine.set_result(reply)
        return reply

    def finish(self, call_id: str) -> None:
        with self.lock:
            del self.under_way[call_id]

    def wait(self, call_id: str, begun: Future[HangUpReply], deadline: Deadline) -> HangUpReply:
        try:
            return begun.result(deadline.seconds_left)
        except TimeoutError:
            raise Problem("upstream_timeout") from None
        finally:
            with self.lock:
                self.waiting[call_id] -= 1
                # Without those that are nothing any more.
                self.waiting += Counter()

    @contextmanager
    def sideband(self) -> Iterator[None]:
        """Room for one end over a sideband. Raises NoThreadFree."""
        if not self.sidebands.acquire(blocking=False):
            raise NoThreadFree
        try:
            yield
        finally:
            self.sidebands.release()
