"""From a message about a call to a run of its observer, and from the run's outcome to what is next.

Every message on `observe-call` starts a run. The message that looks at the call next is sent first,
for when the lease ends. So an instance may be killed in the middle of its calls, and other
instances take them over as soon as its leases end, without waiting for the queue to redeliver
messages. The looks at a call go on until it is settled; while they are in vain, they come ever more
seldom.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.calls.call_record import CallRecord
from shared.calls.delivery import Delivery
from shared.calls.queue_messages import call_message
from shared.calls.records import Records
from shared.calls.retry import Sleep, retry_until
from shared.calls.termination import CallTerminator
from shared.config.voice_api import VoiceApi
from shared.core import logs
from shared.core.blocking import run_blocking
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.core.stopping import Stopping
from shared.observer.accounting import CallAccounting
from shared.observer.call_terms import CallTerms
from shared.observer.context import Dependencies, ObserverResult, Outcome, Tally
from shared.observer.observer import observe
from shared.observer.slots import FULL, ObserverSlots
from shared.observer.timing import USUAL_TIMING, Timing
from shared.observer.waiting import LATE_AFTER, log_waiting
from shared.sideband.sideband import Connect
from shared.storage.interfaces import Queue

T = TypeVar("T")
LEASE_MARGIN = timedelta(milliseconds=500)
"""How long after the end of a lease the next run comes."""
CLOCK_SKEW = timedelta(minutes=2)
"""The clock that wrote when a call ends may have been ahead or behind by this much: an instance
learns how far off its clock is from storage's first answer (docs/scale.md)."""
RECORD_DELAY = timedelta(seconds=20)
"""A record may be written this long after the message about its call."""
OUTAGE_BEFORE_RUN = timedelta(minutes=10)
TRIED_FOR = timedelta(seconds=30)
OUTAGE_AFTER_RUN = timedelta(minutes=4)
"""How long a worker waits out an outage until the next look is arranged, until the run begins, and
after it: with the run's 50 minutes that is within `functionTimeout`."""
PASSED_ON_AFTER = timedelta(seconds=1)
PASSED_ON_LATEST = timedelta(seconds=5)
"""How long a message stays away that this instance leaves to others."""
CALL_IS_OVER = (Outcome.ENDED, Outcome.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a worker waits out an outage; a test need not wait."""

    sleep: Sleep = asyncio.sleep
    monotonic: Monotonic = time.monotonic


@dataclass(frozen=True, slots=True)
class ObserverWorker:
    """Follows the calls that messages name. `dependencies` are those of every run; what a single
    call may spend, how it is hung up, and how the API that it speaks is dialled at its endpoint
    (`connects`), is added for each."""

    records: Records
    terminator: CallTerminator
    queue: Queue
    terms: CallTerms
    accounting: CallAccounting
    dependencies: Dependencies
    waiting: Waiting = field(default_factory=Waiting)
    timing: Timing = USUAL_TIMING
    connects: Callable[[str], Mapping[VoiceApi, Connect]] = lambda _: {}
    slots: ObserverSlots = field(default_factory=lambda: ObserverSlots(sys.maxsize, Stopping()))

    async def follow_call(self, delivery: Delivery) -> None:
        """One run for the call that a message names.

        Raises an error if the run fails: then another message must come, unless the delivery has a
        successor.
        """
        deadline = Deadline.after(OUTAGE_BEFORE_RUN, self.waiting.monotonic)
        try:
            record = await self.wait_for_record(delivery.record_id, deadline)
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            # The record could not be written, so the call was refused and hung up.
            logs.event("observation skipped", logging.WARNING, call=delivery.record_id)
            return
        with self.slots.reserve() as refused:
            # First of all: whatever becomes of this run, another will look at the call.
            look = partial(self.arrange_next_look, delivery, record, refused)
            if await self.run_blocking(deadline, look):
                await self.run_observer(record)

    async def run_observer(self, record: CallRecord) -> None:
        """One run, and what comes of it."""
        deadline = Deadline.after(TRIED_FOR, self.waiting.monotonic)
        if self.is_expired(record):
            await self.run_blocking(deadline, partial(self.terminator.end_expired_call, record.id))
            return
        terms = self.terms.settled_call if record.settled_by else self.terms.observed_call
        call = await self.run_blocking(deadline, partial(terms, record))
        dependencies, holder = self.dependencies_for(record), secrets.token_hex(8)
        result = await retry_until(
            lambda: observe(call, dependencies, holder, self.timing),
            deadline.remaining,
            sleep=self.waiting.sleep,
            monotonic=self.waiting.monotonic,
        )
        deadline = Deadline.after(OUTAGE_AFTER_RUN, self.waiting.monotonic)
        await self.run_blocking(deadline, partial(self.act_on_result, record, result))

    async def wait_for_record(self, record_id: str, deadline: Deadline) -> CallRecord:
        """The record. It is written while the message is sent, so it may come a little later."""

        def too_early(error: Exception) -> bool:
            return isinstance(error, Problem) and error.code == "call_not_found"

        return await retry_until(
            lambda: self.run_blocking(deadline, partial(self.records.get, record_id)),
            RECORD_DELAY,
            retry_on=too_early,
            sleep=self.waiting.sleep,
            monotonic=self.waiting.monotonic,
        )

    def is_expired(self, record: CallRecord) -> bool:
        """Whether the call is past its end. The other instance's clock may be ahead: a call may go
        on though its time is up here."""
        past_end = record.ends_at + CLOCK_SKEW <= self.dependencies.clock()
        return past_end and not record.settled_by

    def arrange_next_look(self, delivery: Delivery, record: CallRecord, refused: str = "") -> bool:
        """Sends the message that comes when the lease of the call ends, whoever holds it then.
        False: there is nothing to follow now. `refused`: why this instance may not follow it;
        then the message is for another one.

        Of a settled call the last look writes the end of its record and deletes its lease; a
        message comes after every run, so every lease is deleted.
        """
        leases = self.dependencies.leases
        held = leases.holder(record.call_id)
        if held is None or (held.is_offered and not record.settled_by):
            if record.settled_by:
                return leases.latest(record.call_id) is not None
            if refused and not self.is_expired(record):
                self.pass_on(delivery, record, refused, is_followed=held is not None)
                return False
            if held is None:
                self.note_late(record)
            delivery.send_successor(self.queue, leases.lasts + LEASE_MARGIN)
            return True
        # The run that holds it has sent a message of its own; a redelivered message was this one's.
        if not delivery.redelivered:
            # More than the length of a lease is the difference of two clocks.
            left = held.until - self.dependencies.clock()
            left = max(timedelta(0), min(left, leases.lasts))
            delivery.send_successor(self.queue, left + LEASE_MARGIN, in_vain=False)
        return False

    def pass_on(
        self, delivery: Delivery, record: CallRecord, refused: str, *, is_followed: bool
    ) -> None:
        """Leaves the call to another instance. While none takes it, ever more rarely."""
        now = self.dependencies.clock()
        waited = now - record.started_at
        pause = PASSED_ON_AFTER
        if not is_followed and refused == FULL:
            pause = min(max(waited / 10, pause), PASSED_ON_LATEST)
            if waited >= LATE_AFTER:
                log_waiting(record, now, refused)
        delivery.pass_on(self.queue, pause)

    def note_late(self, record: CallRecord) -> None:
        """Logs if the first run of a call begins late."""
        now = self.dependencies.clock()
        late = now - record.started_at >= LATE_AFTER
        if late and self.dependencies.leases.latest(record.call_id) is None:
            log_waiting(record, now, "late")

    def dependencies_for(self, record: CallRecord) -> Dependencies:
        """The dependencies of a run for that call."""

        async def spend(tally: Tally) -> bool:
            return await self.off_loop(partial(self.accounting.spend_tokens, record, tally))

        async def hang_up() -> str:
            # On the threads of what ends calls: those of observers renew leases.
            work = partial(self.terminator.hang_up, record)
            return await run_blocking(self.terminator.executor, work)

        async def expires(moment: datetime) -> None:
            await self.off_loop(partial(self.records.bring_forward, record.id, moment))

        async def pass_on() -> None:
            work = partial(self.queue.send, call_message(record.id))
            await run_blocking(self.terminator.executor, work)

        connects = self.connects(record.endpoint)
        connect = connects.get(record.api, self.dependencies.connect)
        return replace(
            self.dependencies,
            connect=connect,
            spend=spend,
            hang_up=hang_up,
            expires=expires,
            pass_on=pass_on,
        )

    def act_on_result(self, record: CallRecord, result: ObserverResult) -> None:
        """Settles a call that is over, and has the next segment of a longer one followed."""
        logs.event(
            "observer run finished",
            call=record.id,
            outcome=result.outcome.value,
            reason=result.reason,
            endpoint=record.endpoint,
            tokens=result.tally.total,
            observed_here=self.slots.taken,
            **self.accounting.cost_of(record, result.tally.usage).to_fields(),
        )
        if record.settled_by:
            self.accounting.spend_tokens(record, result.tally)
            self.publish_end(record)
            # Last of all: while there is a lease, somebody looks at the call again.
            self.dependencies.leases.forget(record.call_id)
        elif result.outcome in CALL_IS_OVER:
            self.accounting.spend_tokens(record, result.tally)
            reason = result.reason or result.outcome.value
            self.terminator.settle(record.id, record.reference, reason, result.settled_by)
            self.publish_end(record)
        elif result.outcome is Outcome.CONTINUE:
            self.queue.send(call_message(record.id))
        # Handed over: the run that took over has messages of its own.
        # Lost or unreachable: the message that was sent first looks at the call again.

    def publish_end(self, record: CallRecord) -> None:
        """Publishes the end of a call that is settled and whose record is complete."""
        if self.terminator.events is not None:
            self.terminator.events.publish(record.id)

    async def run_blocking(self, deadline: Deadline, work: Callable[[], T]) -> T:
        """What `work` gives, on the pool; an outage is waited out until the deadline."""
        return await retry_until(
            lambda: self.off_loop(work),
            deadline.remaining,
            sleep=self.waiting.sleep,
            monotonic=self.waiting.monotonic,
        )

    async def off_loop(self, work: Callable[[], T]) -> T:
        return await run_blocking(self.dependencies.executor, work)
