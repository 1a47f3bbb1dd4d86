"""What each caller holds and has used: booked before anything goes upstream, settled after.

One table, one partition, one row a caller and, only where `live_calls_total` is set, one row for
all callers: a booking is one transaction over at most those two, held to the versions that were
read. What is counted is in `accounts`, what limits mean in `operations`; that many requests at once
do not melt is the work of `combiner`. Nothing is cached: limits are exact over all instances.

Storage away: nobody is let in (`storage_unavailable`). A write whose answer got lost may have
counted a call that was never started; it is taken back with the next write, and if this process
dies before, it counts until the call's time is up. Then nothing is left of any call.
"""

from __future__ import annotations

import logging
import random
import secrets
import string
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from shared.config.settings import Limits
from shared.core import logs
from shared.core.batching import LeaderBatcher
from shared.core.clock import Clock, utc_now
from shared.core.problems import Problem
from shared.limits.account import Account, GlobalCount
from shared.limits.rules import Book, Operation, Register, Settle, Spend, Spent, Undo
from shared.storage.interfaces import Conflict, Entity, StorageUnavailable, Table, Write

__all__ = ["Booking", "CallerUsage", "Ledger", "Limits", "Spent"]

PARTITION = "live"
EVERYONE = "everyone"
BATCH = 80
DEBTS_A_BATCH = 10
DEBTS_AT_MOST = 10_000
AGAIN = timedelta(seconds=5)
BACKOFF = timedelta(milliseconds=10)
SURE_OF_INDEX = 3
"""After so many tries in vain every row is read anew, whatever storage says which one changed."""
LONGEST_BACKOFF = timedelta(milliseconds=250)
ID_CHARACTERS = string.ascii_letters + string.digits + "-_"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Booking:
    """A call that is counted. `reference` is all that is needed to settle it, anywhere."""

    reference: str
    caller: str
    started_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class CallerUsage:
    """What one caller holds and has used now."""

    live_calls: int
    starts_last_minute: int
    tokens_today: int


@dataclass(slots=True, eq=False)
class PendingOperation:
    """One operation on its way through the ledger, and what came of it."""

    caller: str
    operation: Operation
    deadline: float = float("inf")
    seen: tuple[int, Entity | None] | None = None
    tries: int = 0
    result: Any = None
    refusal: Problem | None = None


class Ledger:
    """Books, settles and counts, in `table`.

    `budget` is how long a request may try to be counted while others change the same rows; then it
    is refused (`ledger_busy`): to wait longer would hold up a page that is better told to try
    again. `clock` gives the times that limits are about.
    """

    def __init__(
        self,
        table: Table,
        limits: Limits,
        *,
        budget: timedelta = timedelta(seconds=5),
        clock: Clock = utc_now,
    ) -> None:
        self.table = table
        self.limits = limits
        self.budget = budget
        self.clock = clock
        self.stamps = count()
        self.combiner: LeaderBatcher[PendingOperation] = LeaderBatcher(self.serve, BATCH)
        self.written: dict[str, tuple[int, Entity | None]] = {}
        self.debts_lock = threading.Lock()
        self.debts: list[PendingOperation] = []

    def book(self, caller: str, *, lasts: timedelta | None = None, key: bool = False) -> Booking:
        """Counts one more call of `caller`, which ends after `lasts` (default: `call_length`).

        `key`: what is counted is a key that the caller may start calls with, unseen.

        Raises Problem: too_many_starts, too_many_live_calls, tokens_used_up, all_lines_busy
        (429), storage_unavailable, ledger_busy (503); then nothing is counted.
        """
        lasts = self.limits.longest if lasts is None else lasts
        name = new_name()
        started = self.clock()
        if not self.limits.none:
            self.carry_out(PendingOperation(caller, Book(name, lasts, key)))
        return Booking(f"{caller}.{name}", caller, started, started + lasts)

    def register(self, caller: str) -> Booking:
        """The booking of a call that the caller started with a key: the key's, or one more.

        Raises Problem as `book` does.
        """
        name, lasts, started = new_name(), self.limits.longest, self.clock()
        if not self.limits.none:
            name = self.carry_out(PendingOperation(caller, Register(name, lasts)))
        return Booking(f"{caller}.{name}", caller, started, started + lasts)

    def undo(self, booking: Booking, *, keep_start: bool = False) -> None:
        """Takes a booking back because the call was not started; again is fine. Never raises.

        `keep_start` is for what was the caller's own doing, such as an offer that the model's
        endpoint refuses: it frees the line but counts as a start, or broken offers could be sent
        upstream without end.
        """
        self.owe(booking.reference, lambda name: Undo(name, keep_start))

    def settle(self, reference: str) -> None:
        """The call of that booking is over; again is fine. Never raises.

        With storage away it is made up for later; at the latest the call's time is up by itself.
        """
        self.owe(reference, Settle)

    def spend(self, reference: str, tokens: int) -> Spent:
        """The call of that booking has used `tokens` since its start (not: since the last time).

        Counts up to ten minutes after the call's time limit. Raises Problem storage_unavailable
        or ledger_busy; the next telling makes up for it.
        """
        if not self.limits.tokens_per_day:
            return Spent(0, 0)
        caller, name = named(reference)
        spent: Spent = self.carry_out(PendingOperation(caller, Spend(name, tokens)))
        return spent

    def standing(self, caller: str) -> CallerUsage:
        """What the caller holds and has used. Raises Problem storage_unavailable."""
        account, now = Account.read(self.values(row_of(caller))), self.now()
        return CallerUsage(len(account.live(now)), len(account.starts(now)), account.used(now))

    def live_calls(self) -> int:
        """The live calls of all callers; counted only where `live_calls_total` is set."""
        return GlobalCount.read(self.values(EVERYONE)).live(self.now())

    def sweep(self, limit: int = 1000) -> int:
        """Deletes the rows of callers for whom nothing is counted any more; gives their number.

        Looks at `limit` rows at most, from a random one on. Raises Problem storage_unavailable.
        """
        now, swept = self.now(), 0
        try:
            first = row_of("")
            start = first + secrets.choice(ID_CHARACTERS)
            rows = self.table.query(PARTITION, start=start, stop=EVERYONE, limit=limit)
            if len(rows) < limit:
                rows += self.table.query(
                    PARTITION, start=first, stop=start, limit=limit - len(rows)
                )
            for entity in rows:
                account = Account.read(entity.values)
                account.forget(now, self.limits)
                if account.held or account.used(now):
                    continue
                try:
                    self.table.delete(PARTITION, entity.row, etag=entity.etag)
                    swept += 1
                except Conflict:
                    # The caller is back.
                    continue
        except StorageUnavailable as error:
            raise away(error) from error
        return swept

    def values(self, row: str) -> Any:
        try:
            found = self.table.get(PARTITION, row)
        except StorageUnavailable as error:
            raise away(error) from error
        return found.values if found else {}

    def now(self) -> int:
        return (self.clock() - EPOCH) // timedelta(milliseconds=1)

    def owe(self, reference: str, operation: Any) -> None:
        """Carries out what gives something back: now, or with a later write."""
        if self.limits.none:
            return
        caller, name = named(reference)
        ticket = PendingOperation(caller, operation(name))
        try:
            self.carry_out(ticket)
        except Problem:
            self.remember(ticket)

    def remember(self, ticket: PendingOperation) -> None:
        with self.debts_lock:
            if len(self.debts) < DEBTS_AT_MOST:
                self.debts.append(PendingOperation(ticket.caller, ticket.operation))

    def carry_out(self, ticket: PendingOperation) -> Any:
        """The result of the operation once it is written. Raises Problem."""
        ticket.deadline = time.monotonic() + self.budget.total_seconds()
        # Each thread reads its own caller's row, all at once; the leader only reads what was
        # changed under it.
        stamp = next(self.stamps)
        try:
            ticket.seen = (stamp, self.table.get(PARTITION, row_of(ticket.caller)))
        except StorageUnavailable as error:
            raise away(error) from error
        self.combiner.submit(ticket)
        if ticket.refusal is not None:
            raise ticket.refusal
        return ticket.result

    def serve(self, tickets: Sequence[PendingOperation]) -> list[bool]:
        """One try to write a batch; gives which tickets are done. One thread at a time."""
        for ticket in tickets:
            if time.monotonic() >= ticket.deadline:
                ticket.refusal = Problem("ledger_busy", retry_after=AGAIN)
        open_tickets = [ticket for ticket in tickets if ticket.refusal is None]
        if not open_tickets:
            return [True] * len(tickets)
        with self.debts_lock:
            debts, self.debts = self.debts[:DEBTS_A_BATCH], self.debts[DEBTS_A_BATCH:]
        work = [*debts, *open_tickets]
        writes: list[Write] = []
        try:
            writes = self.apply(work)
            stamp = next(self.stamps)
            entities = self.table.transact(writes) if writes else []
            self.written = {entity.row: (stamp, entity) for entity in entities}
        except Conflict as conflict:
            self.start_over(work, writes, conflict.index)
            with self.debts_lock:
                self.debts[:0] = debts
            return [ticket.refusal is not None for ticket in tickets]
        except StorageUnavailable as error:
            refusal = away(error)
            for ticket in open_tickets:
                ticket.refusal = Problem(refusal.code, retry_after=refusal.retry_after)
                if isinstance(ticket.operation, Book | Register):
                    self.remember(PendingOperation(ticket.caller, Undo(ticket.operation.name)))
            with self.debts_lock:
                self.debts[:0] = debts
        return [True] * len(tickets)

    def apply(self, work: Sequence[PendingOperation]) -> list[Write]:
        """Applies the operations to the rows as they are now; gives what must be written."""
        rows = {row: self.row(row, work) for row in {row_of(ticket.caller) for ticket in work}}
        accounts = {row: Account.read(entity.values) for row, entity in rows.items()}
        everyone = GlobalCount()
        if self.limits.live_calls_total or any(
            held.counted_at
            for ticket in work
            if (held := accounts[row_of(ticket.caller)].held.get(ticket.operation.name))
        ):
            rows[EVERYONE] = self.fetch(EVERYONE)
            everyone = GlobalCount.read(rows[EVERYONE].values)
        now = self.now()
        for ticket in work:
            account = accounts[row_of(ticket.caller)]
            try:
                ticket.result = ticket.operation.apply(account, everyone, now, self.limits)
            except Problem as problem:
                ticket.refusal = problem
        changed: list[tuple[str, Account | GlobalCount]] = [*accounts.items(), (EVERYONE, everyone)]
        return [
            Write("replace" if rows[row].etag else "insert", rows[row].with_values(state.values()))
            for row, state in changed
            if state.changed
        ]

    def row(self, row: str, work: Sequence[PendingOperation]) -> Entity:
        """A caller's row: the latest that a waiting thread has read or this one has written."""
        seen = [ticket.seen for ticket in work if ticket.seen and row_of(ticket.caller) == row]
        if seen and row in self.written:
            seen.append(self.written[row])
        if not seen:
            return self.fetch(row)
        return max(seen, key=lambda each: each[0])[1] or Entity(PARTITION, row)

    def fetch(self, row: str) -> Entity:
        return self.table.get(PARTITION, row) or Entity(PARTITION, row)

    def start_over(
        self, work: Sequence[PendingOperation], writes: Sequence[Write], index: int | None
    ) -> None:
        """After a conflict: forgets what was decided and the rows that are not as was thought."""
        stale = {write.entity.row for write in writes}
        if index is not None and max(ticket.tries for ticket in work) < SURE_OF_INDEX:
            stale = {writes[index].entity.row}
        for ticket in work:
            ticket.result = ticket.refusal = None
            ticket.tries += 1
            if row_of(ticket.caller) in stale:
                ticket.seen = None
        self.written = {row: each for row, each in self.written.items() if row not in stale}
        tries = min(max(ticket.tries for ticket in work), 8)
        longest = min(BACKOFF * 2**tries, LONGEST_BACKOFF)
        time.sleep(random.uniform(0, longest.total_seconds()))  # noqa: S311


def new_name() -> str:
    """A booking's name: no secret, it only has to be unlike all others."""
    return f"{random.getrandbits(48):012x}"


def row_of(caller: str) -> str:
    """The key of a caller's row."""
    return f"caller.{caller}"


def named(reference: str) -> tuple[str, str]:
    """The caller and the booking's name in a reference. Raises ValueError for what is none."""
    caller, dot, name = reference.rpartition(".")
    if not (dot and caller and name):
        raise ValueError("not a booking's reference")
    return caller, name


def away(error: StorageUnavailable) -> Problem:
    """The refusal when storage is away; the reason goes into the log alone."""
    logs.event("storage unavailable", logging.WARNING, reason=str(error))
    return Problem("storage_unavailable", retry_after=AGAIN)
