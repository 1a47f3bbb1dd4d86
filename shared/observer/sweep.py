"""Finds calls that no message is left for: live ones that nobody follows, overdue ones that nobody
has settled, and settled ones whose end is unpublished.

Messages do not get lost by themselves, but an instance may die between starting a call and sending
its messages, and people delete messages. Blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from shared.calls.call_record import CallRecord
from shared.calls.end_events import try_to_publish
from shared.calls.queue_messages import call_message
from shared.calls.records import Records
from shared.calls.termination import CallTerminator
from shared.core import logs
from shared.core.chance import CHANCE
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.observer.leases import LeaseStore
from shared.observer.waiting import log_waiting, waiting_calls
from shared.storage.interfaces import Queue

LOOKS_BACK = timedelta(hours=3)
"""A call lasts an hour at most."""
OVERDUE_AFTER = timedelta(minutes=2)
"""A call's own messages have this long to end it."""
UNFOLLOWED_AFTER = timedelta(minutes=3)
"""A call's own messages take its lease more often, also while they are in vain."""
ENDED_AT_ONCE = 200
LOGGED_AT_MOST = 50


def some_of(names: Sequence[str]) -> list[str]:
    """As many as one sweep can do, any of them: some may fail each time, and the others must not
    wait behind those."""
    return CHANCE.sample(names, min(len(names), ENDED_AT_ONCE))


@dataclass(frozen=True, slots=True)
class CallSweep:
    """Looks at the calls of the last hours. `observe_queue` is None where calls are not
    observed."""

    records: Records
    leases: LeaseStore
    terminator: CallTerminator
    observe_queue: Queue | None
    pool: Executor
    clock: Clock

    def run(self) -> None:
        """Ends the overdue calls, has the unfollowed ones followed, and publishes ends that are
        still unpublished.

        Raises Problem storage_unavailable, StorageUnavailable.
        """
        now = self.clock()
        overdue: list[str] = []
        unpublished: list[str] = []
        events = self.terminator.events
        for record in self.records.started_since(now - LOOKS_BACK, now):
            if record.settled_by:
                if events is not None and events.is_due(record):
                    unpublished.append(record.id)
            elif record.ends_at + OVERDUE_AFTER < now:
                overdue.append(record.id)
            elif self.observe_queue and record.call_id and not self.is_followed(record):
                logs.event("unfollowed call detected", logging.WARNING, call=record.id)
                self.observe_queue.send(call_message(record.id))
        if self.observe_queue:
            for record in waiting_calls(self.records, self.leases, now)[:LOGGED_AT_MOST]:
                log_waiting(record, now, "nobody")
        for name in overdue:
            logs.event("orphaned call detected", logging.WARNING, call=name)
        list(self.pool.map(self.end_overdue_call, some_of(overdue)))
        list(self.pool.map(partial(try_to_publish, events), some_of(unpublished)))

    def is_followed(self, record: CallRecord) -> bool:
        """Whether a run has followed the call lately, or may yet do so."""
        since = self.clock() - UNFOLLOWED_AFTER
        if record.started_at > since:
            return True
        lease = self.leases.latest(record.call_id)
        return lease is not None and lease.until > since

    def end_overdue_call(self, name: str) -> None:
        """Ends one of them. What fails is tried again by the next sweep."""
        try:
            self.terminator.end_expired_call(name)
        except Exception as error:
            # Also of a record that somebody has edited: it costs no other call its end.
            reason = error.code if isinstance(error, Problem) else type(error).__name__
            logs.event("call not hung up", logging.WARNING, call=name, code=reason)
