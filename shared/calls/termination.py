"""How calls end: by their caller, by an admin, by their limit, by themselves.

Whoever ends a call, its line is freed and its record says why, once. Ending a call twice, or one
that is over, does no harm.
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

from shared.calls.claims import Claims
from shared.calls.queue_messages import END_MESSAGE_EARLY, SECOND_END_MESSAGE_LATE, call_message
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
HANG_UP_BUDGET = timedelta(seconds=30)
OUTAGE = timedelta(minutes=10)
"""How long one delivery of an end message sits out an outage; there are three (host.json)."""
SWEEP_PROBABILITY = 0.02
"""The ends of calls trigger the sweep: no timer runs while nobody calls, and none is needed."""
REMEMBERED_AT_MOST = 10_000
ORPHANED_AFTER = timedelta(minutes=2)
"""A call that is live on record this long after its limit has nobody left to end it."""
CLOSED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CallTerminator:
    """Ends calls and closes their records.

    `end_queue` holds the messages of their limits. `unclosed` has the ids of refused calls' records
    that are closed once storage is back, `resent` of those whose end message was sent again.
    """

    client: RealtimeClient
    ledger: Ledger
    records: Records
    end_queue: Queue
    clock: Clock
    sleep: Sleep = asyncio.sleep
    monotonic: Monotonic = time.monotonic
    forget_lease: Callable[[str], None] = lambda _: None
    unclosed: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AT_MOST))
    resent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AT_MOST))

    def hang_up(self, call_id: str) -> None:
        """Ends the call upstream; its observer sees that and records why. Raises `Problem`."""
        self.client.hang_up(call_id, Deadline.after(HANG_UP_BUDGET))

    def refuse_call(self, record: CallRecord) -> None:
        """Ends a call that has begun and may not go on.

        Never raises: the caller is told why the call may not go on, and the model's endpoint ends a
        call that nobody connects to.
        """
        if not self.settle(record.id, record.reference, "refused"):
            # The record may exist without an end message: then nobody else would close it.
            self.unclosed.append(record.id)
        try:
            self.hang_up(record.call_id)
        except Problem as problem:
            logs.event("call not hung up", logging.WARNING, call=record.id, code=problem.code)

    def end_by_admin(self, name: str) -> None:
        """Ends the call with that record, whoever its caller is. Raises `Problem`."""
        record = self.records.get(name)
        self.hang_up(record.call_id)
        self.settle(name, record.reference, "admin")

    async def end_at_limit(self, name: str) -> None:
        """Ends the call with that record the moment its time is up, if it is still live.

        Sits out an outage. Raises `Problem` if it lasts: the message must be redelivered then.
        """
        try:
            record = await self.run_until_done(partial(self.records.get, name))
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
            # The first message has failed, and this one may fail too: send another before acting.
            again = partial(self.end_queue.send, call_message(name), delay=SECOND_END_MESSAGE_LATE)
            await self.run_until_done(again)
        # The message was sent to arrive this early; a longer wait comes from differing clocks.
        await self.sleep(max(timedelta(0), min(left, END_MESSAGE_EARLY)).total_seconds())
        await self.run_until_done(partial(self.end_expired_call, name))

    async def run_until_done(self, work: Callable[[], T]) -> T:
        """The result of blocking `work`, run in a thread and repeated during an outage."""
        return await retry_until(
            lambda: asyncio.to_thread(work), OUTAGE, sleep=self.sleep, monotonic=self.monotonic
        )

    def end_expired_call(self, name: str) -> None:
        """Ends the call with that record because its time is up, if it is still live.

        Raises Problem, storage_unavailable included: it must be repeated.
        """
        record = self.records.get(name)
        if record.ended_at is None:
            self.hang_up(record.call_id)
            if not self.settle(name, record.reference, "limit"):
                raise Problem("storage_unavailable")
        if random.random() < SWEEP_PROBABILITY:  # noqa: S311
            self.sweep_expired()

    def resend_end_message(self, record: CallRecord) -> None:
        """Sends the end message of a call that should long be over.

        An instance may have died between writing the record and sending its end messages. Called
        whenever somebody looks at a record; never raises.
        """
        if record.ended_at is not None or self.clock() - record.ends_at <= ORPHANED_AFTER:
            return
        # One message is enough: it is redelivered until the call is over. A page that polls would
        # send one more each time.
        if record.id in self.resent:
            return
        logs.event("orphaned call detected", logging.WARNING, call=record.id)
        with contextlib.suppress(StorageUnavailable):
            self.end_queue.send(call_message(record.id))
            self.resent.append(record.id)

    def settle(self, name: str, reference: str, by: str) -> bool:
        """The call has ended: frees its line and closes its record.

        False while storage is unavailable: then the call's end message makes up for it.
        """
        self.ledger.settle_call(reference)
        try:
            first = self.records.mark_ended(name, by, self.clock())
        except (StorageUnavailable, Problem):
            logs.event("call record not closed", logging.WARNING, call=name)
            return False
        if first:
            logs.event("call ended", call=name, by=by)
        self.close_refused_records()
        return True

    def close_refused_records(self) -> None:
        """Closes records that could not be closed when their calls were refused. Never raises."""
        for _ in range(min(CLOSED_AT_ONCE, len(self.unclosed))):
            try:
                name = self.unclosed.popleft()
            except IndexError:
                # Another thread took it.
                return
            try:
                self.records.mark_ended(name, "refused", self.clock())
            except StorageUnavailable:
                self.unclosed.append(name)
                return
            except Problem as problem:
                # Usually the record was never written.
                if problem.code != "call_not_found":
                    self.unclosed.append(name)

    def forget_call(self, call_id: str) -> None:
        """Deletes what is kept under the id of a call beside its record."""
        Claims(self.records.table).forget(call_id)
        self.forget_lease(call_id)

    def sweep_expired(self) -> None:
        """Deletes the rows of callers for whom nothing is counted, and records past retention."""
        rows = self.ledger.sweep_rows()
        records = self.records.sweep_expired(self.clock(), self.forget_call)
        logs.event("expired rows deleted", callers=rows, records=records)
