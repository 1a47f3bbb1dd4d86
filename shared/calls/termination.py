"""How calls end: by their owner, by an admin, by their limit, by themselves.

Whoever ends a call, its line becomes free and its record says why, once. Ending a call twice, or
one that is over, is fine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from shared.calls.messages import AFTER, EARLY, message
from shared.calls.records import CallRecord, Records
from shared.calls.retry import Sleep, retry_until
from shared.core import logs
from shared.core.clock import Clock
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.limits.ledger import Ledger
from shared.realtime.client import RealtimeClient
from shared.storage.interfaces import Queue, StorageUnavailable

T = TypeVar("T")
BUDGET = timedelta(seconds=30)
OUTAGE = timedelta(minutes=10)
"""How long one try of a message waits for what is away; there are three (host.json)."""
# Each call's end may sweep: there is no clock that runs while nobody calls, and no need for one.
SWEEPING = 0.02
UNCLOSED_AT_MOST = 10_000
FORGOTTEN = timedelta(minutes=2)
"""So long after its end a call is still on record as live only if nobody ends it."""
CLOSED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CallTerminator:
    """Ends calls. `queue` has the messages of their limits, `unclosed` names records that are to be
    closed when storage is back, `reminded` those whose end was sent for again."""

    client: RealtimeClient
    ledger: Ledger
    records: Records
    queue: Queue
    clock: Clock
    sleep: Sleep = asyncio.sleep
    monotonic: Monotonic = time.monotonic
    unclosed: deque[str] = field(default_factory=lambda: deque(maxlen=UNCLOSED_AT_MOST))
    reminded: deque[str] = field(default_factory=lambda: deque(maxlen=UNCLOSED_AT_MOST))

    def hang_up(self, call_id: str) -> None:
        """Ends the call upstream; its observer sees that and says why. Raises `Problem`."""
        self.client.hang_up(call_id, Deadline.after(BUDGET))

    def refuse(self, record: CallRecord) -> None:
        """Ends a call that has begun and may not go on. Never raises: its caller is told why it
        may not, and the service ends a call that nobody connects to."""
        if not self.over(record.id, record.reference, "refused"):
            # It may be written though no message of its end was sent: nobody else would close it.
            self.unclosed.append(record.id)
        try:
            self.hang_up(record.call_id)
        except Problem as problem:
            logs.event("call not hung up", logging.WARNING, call=record.id, code=problem.code)

    def by_admin(self, name: str) -> None:
        """Ends the call of that record, whoever's it is. Raises `Problem`."""
        record = self.records.get(name)
        self.hang_up(record.call_id)
        self.over(name, record.reference, "admin")

    async def at_limit(self, name: str) -> None:
        """Ends the call of that record the moment its time is up, if it is still on.

        An outage is sat out. Raises `Problem` if it lasts: the message must come again then.
        """
        try:
            record = await self.patiently(partial(self.records.get, name))
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            # The record could not be written, so the call was refused and hung up.
            logs.event("time limit skipped", logging.WARNING, call=name)
            return
        left = record.ends_at - self.clock()
        if record.ended_at is not None:
            left = timedelta(0)
        elif left <= timedelta(0):
            # Its first message came to nothing. Sent before anything else: so may this one.
            await self.patiently(partial(self.queue.send, message(name), delay=AFTER))
        # The message was sent to come so early: more is the difference of two clocks.
        await self.sleep(max(timedelta(0), min(left, EARLY)).total_seconds())
        await self.patiently(partial(self.expire, name))

    async def patiently(self, work: Callable[[], T]) -> T:
        """What blocking `work` gives, in a thread, outages sat out."""
        return await retry_until(
            lambda: asyncio.to_thread(work), OUTAGE, sleep=self.sleep, monotonic=self.monotonic
        )

    def expire(self, name: str) -> None:
        """Ends the call of that record because its time is up, if it is still on.

        Raises Problem, storage_unavailable too: it must be done again.
        """
        record = self.records.get(name)
        if record.ended_at is None:
            self.hang_up(record.call_id)
            if not self.over(name, record.reference, "limit"):
                raise Problem("storage_unavailable")
        if random.random() < SWEEPING:  # noqa: S311
            self.sweep()

    def remind(self, record: CallRecord) -> None:
        """Sends for the end of a call that should long be over: an instance may have died between
        its record and the messages of its end. Whoever looks at a record does so; never raises."""
        if record.ended_at is not None or self.clock() - record.ends_at <= FORGOTTEN:
            return
        # A message goes on by itself until the call is over: a second one, at each look of a page
        # that asks all the time, would only be in its way.
        if record.id in self.reminded:
            return
        logs.event("orphaned call detected", logging.WARNING, call=record.id)
        with contextlib.suppress(StorageUnavailable):
            self.queue.send(message(record.id))
            self.reminded.append(record.id)

    def over(self, name: str, reference: str, by: str) -> bool:
        """The call has ended: its line is free and the record says why.

        False with storage away: then the message of the call's end makes up for it.
        """
        self.ledger.settle_call(reference)
        try:
            first = self.records.end(name, by, self.clock())
        except (StorageUnavailable, Problem):
            logs.event("call record not closed", logging.WARNING, call=name)
            return False
        if first:
            logs.event("call ended", call=name, by=by)
        self.close_refused()
        return True

    def close_refused(self) -> None:
        """Closes records that could not be closed when their calls were refused; never raises."""
        for _ in range(min(CLOSED_AT_ONCE, len(self.unclosed))):
            try:
                name = self.unclosed.popleft()
            except IndexError:
                # Another thread was faster.
                return
            try:
                self.records.end(name, "refused", self.clock())
            except StorageUnavailable:
                self.unclosed.append(name)
                return
            except Problem as problem:
                # Mostly it was never written.
                if problem.code != "call_not_found":
                    self.unclosed.append(name)

    def sweep(self) -> None:
        """Deletes what nothing counts any more: rows of callers who are gone, old records."""
        rows = self.ledger.sweep_rows()
        records = self.records.sweep(self.clock())
        logs.event("expired rows deleted", callers=rows, records=records)
