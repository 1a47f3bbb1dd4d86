"""Calls on the record: from a message about a call to its observer, and what comes of it.

Every message on `observe-call` makes a run. A run that finds the call in other hands comes back
when their lease is over: so an instance may be killed in the middle of its calls, and others have
them as soon as its leases end, without waiting for the queue to hand the messages out again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from shared.calls.messages import call_message
from shared.calls.records import CallRecord, Records
from shared.calls.retry import Sleep, retry_until
from shared.calls.termination import CallTerminator
from shared.config.profiles import Profile, Profiles
from shared.core import logs
from shared.core.clock import Clock
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.observer.context import (
    Dependencies,
    Farewell,
    ObservedCall,
    ObserverResult,
    Outcome,
)
from shared.observer.leases import Leases
from shared.observer.observer import observe
from shared.realtime.sideband import Connect
from shared.storage.interfaces import Log, Queue
from shared.tools.registry import Registry
from shared.transcripts.redaction import Redact
from shared.usage.prices import UNKNOWN, Prices
from shared.usage.tokens import Usage

MARGIN = timedelta(milliseconds=500)
SKEW = timedelta(seconds=15)
"""By so much may the clocks of two instances differ (docs/scale.md)."""
UNWRITTEN = timedelta(seconds=20)
BEFORE = timedelta(minutes=10)
AFTERWARDS = timedelta(minutes=4)
"""How long a run waits for what is away before it begins, and when it is over: with its 50 minutes
that is within `functionTimeout`."""
OVER = (Outcome.ENDED, Outcome.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class ObserverWorker:
    """Follows the calls that messages name. `words`: whether what is said is kept."""

    terminator: CallTerminator
    records: Records
    profiles: Profiles
    leases: Leases
    log: Log
    queue: Queue
    connect: Connect
    registry: Registry
    prices: Prices
    redact: Redact
    words: bool
    vault: SecretStore
    pool: Executor
    clock: Clock
    sleep: Sleep = asyncio.sleep
    monotonic: Monotonic = time.monotonic

    async def follow(self, name: str) -> None:
        """One run for the call of that record; an outage is sat out, for a while.

        Raises what should make the message come again.
        """
        patience = Deadline.after(BEFORE, self.monotonic)
        try:
            record = await self.recorded(name, patience)
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            # The record could not be written, so the call was refused and hung up.
            logs.event("observation skipped", logging.WARNING, call=name)
            return
        # The other instance's clock may be ahead: a call may be on though its time is up here.
        if record.ended_at is not None or record.ends_at + SKEW <= self.clock():
            return
        # Sent before anything else: whatever becomes of this run, another looks after the call.
        await self.patiently(patience, self.look_again, record)
        watched = await self.patiently(patience, self.watched, record)
        parts, holder = self.parts(record), secrets.token_hex(8)
        observed = await retry_until(
            lambda: observe(watched, parts, holder),
            patience.remaining,
            sleep=self.sleep,
            monotonic=self.monotonic,
        )
        await self.patiently(
            Deadline.after(AFTERWARDS, self.monotonic), self.conclude, record, observed
        )

    async def recorded(self, name: str, patience: Deadline) -> CallRecord:
        """The record; it is written while the message is sent, so it may come a little later."""

        def early(error: Exception) -> bool:
            return isinstance(error, Problem) and error.code == "call_not_found"

        async def once() -> CallRecord:
            record: CallRecord = await self.patiently(patience, self.records.get, name)
            return record

        return await retry_until(
            once, UNWRITTEN, retry_on=early, sleep=self.sleep, monotonic=self.monotonic
        )

    async def patiently(self, patience: Deadline, work: Callable[..., Any], *given: Any) -> Any:
        """What blocking `work` gives, on the pool, an outage sat out."""
        return await retry_until(
            lambda: self.off_loop(work, *given),
            patience.remaining,
            sleep=self.sleep,
            monotonic=self.monotonic,
        )

    def look_again(self, record: CallRecord) -> None:
        """Has another run look at the call when the lease, whoever has it then, is over."""
        held = self.leases.holder(record.call_id)
        left = held.until - self.clock() if held else self.leases.lasts
        # More than a lease lasts is the difference of two clocks.
        left = max(timedelta(0), min(left, self.leases.lasts))
        self.queue.send(call_message(record.id), delay=left + MARGIN)

    def watched(self, record: CallRecord) -> ObservedCall:
        profile = self.profile_of(record)
        complete = complete_profile(profile, self.vault)
        return ObservedCall(
            record.call_id,
            session=None if profile.session_from_page else complete.session,
            words=self.words,
            started_at=record.started_at,
            ends_at=record.ends_at,
            farewell=Farewell(profile.goodbye),
        )

    def profile_of(self, record: CallRecord) -> Profile:
        """The call's profile; one that is gone since leaves nothing to hold the page to."""
        try:
            return self.profiles.named(record.profile)
        except Problem:
            return Profile(record.profile, {"model": record.model}, session_from_page=True)

    def parts(self, record: CallRecord) -> Dependencies:
        async def spend(used: Usage) -> bool:
            return bool(await self.off_loop(self.spend, record, used))

        async def hang_up() -> None:
            await self.off_loop(self.terminator.hang_up, record.call_id)

        return Dependencies(
            connect=self.connect,
            leases=self.leases,
            log=self.log,
            registry=self.registry,
            spend=spend,
            hang_up=hang_up,
            redact=self.redact,
            clock=self.clock,
            executor=self.pool,
        )

    def spend(self, record: CallRecord, used: Usage) -> bool:
        """Notes what the call has used; True: the caller has no tokens left today."""
        self.note(record, used)
        return self.terminator.ledger.count_tokens(record.reference, used.total).used_up

    def note(self, record: CallRecord, used: Usage) -> None:
        cost = self.prices.cost(record.model, used)
        counted = used.shown()

        def changed(present: CallRecord) -> CallRecord:
            # A late run must not take back what an earlier one has counted.
            if sum(present.usage.values()) > sum(counted.values()):
                return present
            return replace(
                present,
                usage=counted,
                cost=UNKNOWN if cost is None else str(cost.amount),
                observed="yes",
            )

        self.records.update(record.id, changed)

    def conclude(self, record: CallRecord, observed: ObserverResult) -> None:
        """What a run's outcome means for the call."""
        outcome = observed.outcome
        used = observed.usage
        cost = self.prices.cost(record.model, used)
        logs.event(
            "observer run finished",
            call=record.id,
            outcome=outcome.value,
            reason=observed.reason,
            tokens=used.total,
            cost=str(cost.amount) if cost else UNKNOWN,
        )
        if outcome in OVER:
            self.note(record, observed.usage)
            self.terminator.settle(record.id, record.reference, observed.reason or outcome.value)
        elif outcome is Outcome.CONTINUE:
            self.queue.send(call_message(record.id))
        # Held, lost or out of reach: the message that was sent first looks again.

    async def off_loop(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.pool, partial(work, *given))
