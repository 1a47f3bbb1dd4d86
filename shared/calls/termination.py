"""How calls end: by their caller, by an admin, by their limit, by themselves.

A call is over when upstream says so in its reply to a hang-up (upstream/hang_up_reply.py) or, of a
call of GPT-Live, by the event on the server's own sideband that tells its end. It is not over
because its sideband, its page or its time is gone: until then it counts, and it is hung up at its
limit. Whoever ends a call, its line is freed and its record says why, once. Ending a call twice, or
one that is over, does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar

from shared.calls.call_record import CallRecord
from shared.calls.claims import Claims
from shared.calls.delivery import Delivery
from shared.calls.end_events import EndEvents, try_to_publish
from shared.calls.new_call import SealedCall
from shared.calls.queue_messages import END_MESSAGE_EARLY, SECOND_END_MESSAGE_LATE, call_message
from shared.calls.records import Records
from shared.calls.retry import Sleep, retry_until
from shared.calls.voice_client import ClientsAt
from shared.core import logs
from shared.core.chance import CHANCE
from shared.core.clock import Clock
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import Queue, StorageUnavailable

T = TypeVar("T")
HANG_UP_BUDGET = timedelta(seconds=30)
OUTAGE = timedelta(minutes=10)
"""How long one delivery of an end message waits for storage: without it no other can be sent."""
HELD_FOR = timedelta(minutes=15)
"""How long a call past its time counts until the next try to end it: longer than any pause."""
TRIED_FOR = timedelta(seconds=30)
"""How long one delivery tries to end its call; then another one does."""
SWEEP_PROBABILITY = 0.02
"""The share of ends that delete what has expired: without calls nothing new expires."""
REMEMBERED_AT_MOST = 10_000
ORPHANED_AFTER = timedelta(minutes=2)
"""A call that is live on record this long after its limit has nobody left to end it."""
SETTLED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A refused call that could not be settled yet; without `settled_by` not even hung up."""

    record: CallRecord
    settled_by: str = ""


@dataclass(frozen=True, slots=True)
class CallTerminator:
    """Ends calls and closes their records.

    `voices` gives the clients of the APIs that the calls of an endpoint speak. `end_queue` holds
    the messages of their limits. `unsettled` has the refused calls that are settled once storage
    and the model's endpoint are back, `resent` the ids of the records whose end message was sent
    again. `events` tells of calls that have ended, where that is wanted.
    """

    voices: ClientsAt
    ledger: Ledger
    records: Records
    end_queue: Queue
    clock: Clock
    sleep: Sleep = asyncio.sleep
    monotonic: Monotonic = time.monotonic
    forget_lease: Callable[[str], None] = lambda _: None
    executor: Executor | None = None
    events: EndEvents | None = None
    unsettled: deque[RefusedCall] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AT_MOST))
    resent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AT_MOST))

    def hang_up(self, call: CallRecord | SealedCall) -> str:
        """Ends the call upstream, at its endpoint and by the API that it speaks; gives what it is
        settled by. A call on record that is older than any can be is over, if nobody knows it.

        Raises `Problem`, upstream_failed for an answer that does not prove the call's end.
        """
        client = self.voices(call.endpoint)[call.api]
        reply = client.hang_up(call.call_id, Deadline.after(HANG_UP_BUDGET))
        now = self.clock()
        started_at = call.started_at if isinstance(call, CallRecord) else now
        settled_by = reply.proof_at(now - started_at)
        if not settled_by:
            logs.event(
                "hang-up not confirmed",
                logging.WARNING,
                status=reply.status,
                upstream_code=reply.code,
                endpoint=call.endpoint,
            )
            raise Problem(reply.problem)
        return settled_by

    def end_call(self, call: SealedCall, by: str) -> bool:
        """Hangs the call up and settles it; see `settle`. Raises `Problem`: it counts on then."""
        return self.settle(call.record_id, call.reference, by, self.hang_up(call))

    def end_recorded_call(self, record: CallRecord, by: str) -> bool:
        """As `end_call`, by a call's record."""
        settled_by = self.hang_up(record)
        return self.settle(record.id, record.reference, by, settled_by)

    def refuse_call(self, record: CallRecord) -> bool:
        """Ends a call that has begun and may not go on; says whether it is hung up.

        Never raises, because the caller is told why the call may not go on. A call that cannot be
        hung up now counts until it is.
        """
        settled_by = ""
        try:
            settled_by = self.hang_up(record)
        except Problem as problem:
            logs.event("call not hung up", logging.WARNING, call=record.id, code=problem.code)
            # Another instance tries again, also if this one is gone by then.
            with contextlib.suppress(StorageUnavailable):
                self.end_queue.send(call_message(record.id), delay=SECOND_END_MESSAGE_LATE)
        # The record may exist without an end message: then nobody else would settle it.
        if not (settled_by and self.settle(record.id, record.reference, "refused", settled_by)):
            self.unsettled.append(RefusedCall(record, settled_by))
        return bool(settled_by)

    def end_by_admin(self, name: str) -> None:
        """Ends the call with that record, whoever its caller is, and its conversation: the calls
        that continue it, too. Raises `Problem`, call_not_found for one whose id is not known
        (calls/unanswered.py)."""
        record = self.end_conversation(name)
        if not record.call_id:
            raise Problem(
                "call_not_found", "Nobody knows the id of this call, so nobody can end it."
            )
        self.end_recorded_call(record, "admin")
        seen = {record.id}
        while record.continued_by not in {"", *seen}:
            record = self.end_conversation(record.continued_by)
            seen.add(record.id)
            if not record.settled_by:
                self.end_recorded_call(record, "admin")

    def end_conversation(self, name: str) -> CallRecord:
        """No other call may continue the one with that record, which it gives. Before that call is
        ended: its page would be faster. Raises Problem call_not_found."""
        try:
            return self.records.end_conversation(name, self.clock())
        except StorageUnavailable:
            # A call is ended even while nothing can be written.
            return self.records.get(name)

    async def end_at_limit(self, delivery: Delivery) -> None:
        """Ends the call that a message names the moment its time is up, unless it is settled.

        Raises `Problem` if that fails: then another message must come, unless the delivery has a
        successor.
        """
        name = delivery.record_id
        try:
            record = await self.run_until_done(partial(self.records.get, name), OUTAGE)
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            # The record could not be written, so the call was refused and hung up.
            logs.event("time limit skipped", logging.WARNING, call=name)
            return
        left = record.ends_at - self.clock()
        if record.settled_by:
            left = timedelta(0)
        else:
            # Its time is up, and it is not over yet: the caller gets no other line for it.
            hold = partial(self.ledger.hold_call, record.reference, HELD_FOR, record.api)
            await self.run_until_done(hold, OUTAGE)
        if not record.settled_by and left <= timedelta(0):
            # The first message has failed, and this one may fail too: send another before acting.
            again = partial(delivery.send_successor, self.end_queue, SECOND_END_MESSAGE_LATE)
            await self.run_until_done(again, OUTAGE)
        # The message was sent to arrive this early; a longer wait comes from differing clocks.
        await self.sleep(max(timedelta(0), min(left, END_MESSAGE_EARLY)).total_seconds())
        await self.run_until_done(partial(self.end_expired_call, name), TRIED_FOR)

    async def run_until_done(self, work: Callable[[], T], within: timedelta) -> T:
        """The result of blocking `work`, run in a thread and repeated during an outage."""
        return await retry_until(
            lambda: asyncio.get_running_loop().run_in_executor(self.executor, work),
            within,
            sleep=self.sleep,
            monotonic=self.monotonic,
        )

    def end_expired_call(self, name: str) -> None:
        """Ends the call with that record because its time is up, unless it is settled: an earlier
        release wrote an end that upstream had not confirmed.

        Raises Problem, storage_unavailable included: it must be repeated.
        """
        record = self.records.get(name)
        if not record.settled_by:
            self.ledger.hold_call(record.reference, HELD_FOR, record.api)
            if not self.end_recorded_call(record, "limit"):
                raise Problem("storage_unavailable")
        if self.events is not None:
            self.events.publish_if_complete(name)
        self.settle_refused_calls()
        if CHANCE.random() < SWEEP_PROBABILITY:
            self.sweep_expired()

    def resend_end_message(self, record: CallRecord) -> None:
        """Sends the end message of a call that should long be over.

        An instance may have died between writing the record and sending its end messages. Called
        whenever somebody looks at a record; never raises.
        """
        if record.ended_at is not None or self.clock() - record.ends_at <= ORPHANED_AFTER:
            return
        # One message is enough: another follows it until the call is settled. A page that polls
        # would send one more each time.
        if record.id in self.resent:
            return
        logs.event("orphaned call detected", logging.WARNING, call=record.id)
        with contextlib.suppress(StorageUnavailable):
            self.end_queue.send(call_message(record.id))
            self.resent.append(record.id)

    def settle(self, name: str, reference: str, by: str, settled_by: str) -> bool:
        """Upstream has confirmed the call's end: frees its line and closes its record.

        False while storage is unavailable: then the call's end message makes up for it. A record is
        settled only after its line is free, because nobody looks at a settled call again.
        """
        is_free = self.ledger.settle_call(reference)
        try:
            first = self.records.mark_ended(name, by, self.clock(), settled_by if is_free else "")
        except (StorageUnavailable, Problem):
            logs.event("call record not closed", logging.WARNING, call=name)
            return False
        if first:
            logs.event("call ended", call=name, by=by)
        if is_free:
            try_to_publish(self.events, name)
        return is_free

    def settle_refused_calls(self) -> None:
        """Settles calls that could not be settled when they were refused. Never raises."""
        for _ in range(min(SETTLED_AT_ONCE, len(self.unsettled))):
            try:
                refused = self.unsettled.popleft()
            except IndexError:
                # Another thread took it.
                return
            if not self.settle_refused_call(refused):
                return

    def settle_refused_call(self, refused: RefusedCall) -> bool:
        """Settles one of them, or keeps it for later: False."""
        record, settled_by = refused.record, refused.settled_by
        try:
            settled_by = settled_by or self.hang_up(record)
            if not self.ledger.settle_call(record.reference):
                raise StorageUnavailable("the line is not free yet")
            self.records.mark_ended(record.id, "refused", self.clock(), settled_by)
            try_to_publish(self.events, record.id)
        except (StorageUnavailable, Problem) as error:
            # Usually the record was never written.
            if settled_by and isinstance(error, Problem) and error.code == "call_not_found":
                return True
            self.unsettled.append(RefusedCall(record, settled_by))
            return False
        return True

    def forget_call(self, call_id: str) -> None:
        """Deletes what is kept under the id of a call beside its record."""
        Claims(self.records.table).forget(call_id)
        self.forget_lease(call_id)

    def sweep_expired(self) -> None:
        """Deletes the rows of callers for whom nothing is counted, and records past retention."""
        rows = self.ledger.sweep_rows()
        records = self.records.sweep_expired(self.clock(), self.forget_call)
        logs.event("expired rows deleted", callers=rows, records=records)
