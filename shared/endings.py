"""How calls end: by their owner, by an admin, by their limit, by themselves.

Whoever ends a call, its line becomes free and its record says why, once. Ending a call twice, or
one that is over, is fine.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import timedelta

from shared import logs
from shared.clock import Clock
from shared.deadlines import Deadline
from shared.ledger import Ledger
from shared.problems import Problem
from shared.realtime import RealtimeClient
from shared.records import Records
from shared.storage import StorageUnavailable

BUDGET = timedelta(seconds=30)
# Each call's end may sweep: there is no clock that runs while nobody calls, and no need for one.
SWEEPING = 0.02


@dataclass(frozen=True, slots=True)
class Endings:
    """Ends calls."""

    client: RealtimeClient
    ledger: Ledger
    records: Records
    clock: Clock

    def hang_up(self, call_id: str) -> None:
        """Ends the call upstream; its observer sees that and says why. Raises `Problem`."""
        self.client.hang_up(call_id, Deadline.after(BUDGET))

    def by_admin(self, name: str) -> None:
        """Ends the call of that record, whoever's it is. Raises `Problem`."""
        record = self.records.get(name)
        self.hang_up(record.call_id)
        self.over(name, record.reference, "admin")

    async def at_limit(self, name: str) -> None:
        """Ends the call of that record the moment its time is up, if it is still on."""
        record = await asyncio.to_thread(self.records.get, name)
        left = record.ends_at - self.clock()
        await asyncio.sleep(max(0.0, left.total_seconds()))
        await asyncio.to_thread(self.expire, name)

    def expire(self, name: str) -> None:
        """Ends the call of that record because its time is up, if it is still on.

        Raises Problem, storage_unavailable too: the message must come again, none follows it.
        """
        record = self.records.get(name)
        if record.ended_at is None:
            self.hang_up(record.call_id)
            if not self.over(name, record.reference, "limit"):
                raise Problem("storage_unavailable")
        if random.random() < SWEEPING:  # noqa: S311
            self.sweep()

    def over(self, name: str, reference: str, by: str) -> bool:
        """The call has ended: its line is free and the record says why.

        False with storage away: then the message of the call's end makes up for it.
        """
        self.ledger.settle(reference)
        try:
            first = self.records.end(name, by, self.clock())
        except (StorageUnavailable, Problem):
            logs.event("record not closed", logging.WARNING, call=name)
            return False
        if first:
            logs.event("call ended", call=name, by=by)
        return True

    def sweep(self) -> None:
        """Deletes what nothing counts any more: rows of callers who are gone, old records."""
        rows = self.ledger.sweep()
        records = self.records.sweep(self.clock())
        logs.event("swept", callers=rows, records=records)
