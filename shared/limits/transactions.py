"""How operations on accounts are written: batched, one transaction at a time, repeated on conflict.

One table, one partition, one row for each caller and, only where calls of all callers are limited,
one global row. A transaction writes the rows of a batch under the versions that were read, so
limits are exact over all instances; nothing is cached between batches but what this process wrote
last.

An operation that gives something back (a settled call, an undone booking) and could not be written
is postponed: a later transaction carries it. A row that cannot be read, or that a later release
alone may write, costs its own caller: nothing is known of what it counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from shared.config.settings import Limits
from shared.core.batching import LeaderBatcher
from shared.core.chance import CHANCE
from shared.core.clock import Clock, in_doubt, unix_milliseconds
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.limits.account import ACCOUNT_COLUMN, Account
from shared.limits.global_count import GlobalCount
from shared.limits.limit_rules import BookCall, Operation, UndoBooking, needs_total
from shared.storage.interfaces import (
    Conflict,
    Entity,
    StorageUnavailable,
    Table,
    Write,
    WriteRefused,
)
from shared.storage.refusal import RETRY_AFTER, storage_refusal
from shared.storage.row_layout import new_row, require_known_layout, unknown_values

PARTITION = "live"
GLOBAL_ROW = "everyone"
BATCH = 80
BATCH_BUDGET = timedelta(seconds=10)
"""For all that a batch reads and writes: the others wait for it."""
POSTPONED_PER_BATCH = 10
POSTPONED_AT_MOST = 10_000
POSTPONED_FOR = timedelta(hours=6)
"""Longer than anything counts."""
PUT_OFF = timedelta(minutes=1)
"""How long a postponed operation waits whose row cannot be changed now."""
BACKOFF = timedelta(milliseconds=10)
LONGEST_BACKOFF = timedelta(milliseconds=250)
TRUSTED_CONFLICTS = 3
"""After this many failed tries every row is read again, whichever row storage says has changed."""


@dataclass(slots=True, eq=False)
class PendingOperation:
    """One operation on its way through the ledger, and what came of it.

    `read` is the caller's row as the operation's thread read it, with the stamp of that moment.
    """

    caller_id: str
    operation: Operation
    deadline: float = float("inf")
    read: tuple[int, Entity | None] | None = None
    tries: int = 0
    not_before: float = 0.0
    result: Any = None
    refusal: Problem | None = None


class AccountTransactions:
    """Carries out operations on the accounts in `table`, each within `budget`."""

    def __init__(self, table: Table, limits: Limits, budget: timedelta, clock: Clock) -> None:
        self.table = table
        self.limits = limits
        self.budget = budget
        self.clock = clock
        self.stamps = count()
        self.batcher: LeaderBatcher[PendingOperation] = LeaderBatcher(self.serve_batch, BATCH)
        self.last_written: dict[str, tuple[int, Entity | None]] = {}
        self.last_accounts: dict[str, tuple[str, Account]] = {}
        self.postponed_lock = threading.Lock()
        self.postponed: list[PendingOperation] = []

    def carry_out(self, caller_id: str, operation: Operation) -> Any:
        """The operation's result once it is written.

        Raises the Problem that the operation raises, or storage_unavailable or ledger_busy.
        """
        pending = PendingOperation(caller_id, operation)
        pending.deadline = time.monotonic() + self.budget.total_seconds()
        # Threads read their callers' rows in parallel; the leader of a batch reads only those that
        # have changed since.
        stamp = next(self.stamps)
        try:
            pending.read = (stamp, self.table.get(PARTITION, row_key(caller_id)))
            if in_doubt(self.clock):
                # Another answer of storage confirms what it is off by, before anything is decided.
                self.table.get(PARTITION, row_key(caller_id))
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        self.batcher.submit(pending)
        if pending.refusal is not None:
            raise pending.refusal
        return pending.result

    def postpone(self, caller_id: str, operation: Operation) -> None:
        """Leaves the operation to a later transaction."""
        pending = PendingOperation(caller_id, operation)
        pending.deadline = time.monotonic() + POSTPONED_FOR.total_seconds()
        with self.postponed_lock:
            if len(self.postponed) < POSTPONED_AT_MOST:
                self.postponed.append(pending)

    def take_postponed(self) -> list[PendingOperation]:
        """Takes some of those that are due."""
        now = time.monotonic()
        with self.postponed_lock:
            due = [pending for pending in self.postponed if pending.not_before <= now]
            taken = set(due[:POSTPONED_PER_BATCH])
            self.postponed = [pending for pending in self.postponed if pending not in taken]
        return due[:POSTPONED_PER_BATCH]

    def put_back_postponed(self, work: Sequence[PendingOperation]) -> None:
        """Keeps those that were not written: the next ones to be carried, or later if refused."""
        now = time.monotonic()
        for pending in work:
            if pending.refusal is not None:
                pending.refusal, pending.not_before = None, now + PUT_OFF.total_seconds()
        with self.postponed_lock:
            self.postponed[:0] = [pending for pending in work if pending.deadline > now]

    def serve_batch(self, batch: Sequence[PendingOperation]) -> list[bool]:
        """One try to write a batch; says which operations are done. One thread at a time."""
        for pending in batch:
            if time.monotonic() >= pending.deadline:
                self.refuse([pending], "ledger_busy", may_be_written=pending.tries > 0)
        in_time = [pending for pending in batch if pending.refusal is None]
        if not in_time:
            return [True] * len(batch)
        postponed = self.take_postponed()
        work = [*postponed, *in_time]
        written: set[PendingOperation] = set()
        try:
            with exchange_terms(Deadline.after(BATCH_BUDGET)):
                try:
                    written = self.write(work)
                except WriteRefused:
                    # Storage takes one of the rows not at all. It must not cost other callers.
                    for caller_id in {pending.caller_id for pending in work}:
                        own = [pending for pending in work if pending.caller_id == caller_id]
                        written |= self.write_alone(own)
        except StorageUnavailable as error:
            self.refuse([p for p in in_time if p not in written], storage_refusal(error).code)
        except BaseException:
            # A bug, which every thread of the batch is told.
            self.refuse(in_time, "storage_unavailable")
            raise
        finally:
            done = {pending for pending in written if pending.refusal is None}
            self.put_back_postponed([pending for pending in postponed if pending not in done])
        return [pending in written or pending.refusal is not None for pending in batch]

    def write(self, work: Sequence[PendingOperation]) -> set[PendingOperation]:
        """Carries out operations in one transaction; gives those that are done, written or refused:
        none after a conflict. Raises StorageUnavailable."""
        writes, accounts = self.apply_operations(work)
        stamp = next(self.stamps)
        try:
            entities = self.table.transact(writes) if writes else []
        except Conflict as conflict:
            self.forget_stale_rows(work, writes, conflict.index)
            return set()
        self.last_written = {entity.row: (stamp, entity) for entity in entities}
        self.last_accounts = {
            each.row: (each.etag, accounts[each.row]) for each in entities if each.row in accounts
        }
        return set(work)

    def write_alone(self, work: Sequence[PendingOperation]) -> set[PendingOperation]:
        """As `write`, for the operations of one caller: what storage does not take is refused."""
        try:
            return self.write(work)
        except WriteRefused as error:
            caller_id = work[0].caller_id
            refusal = storage_refusal(StorageUnavailable(f"{row_key(caller_id)}: {error}"))
            self.refuse(work, refusal.code, may_be_written=False)
            return set(work)

    def apply_operations(
        self, work: Sequence[PendingOperation]
    ) -> tuple[list[Write], dict[str, Account]]:
        """Applies the operations to the rows as they are now; returns what must be written, and
        the accounts in it."""
        keys = {row_key(pending.caller_id) for pending in work}
        rows = {key: self.latest_row(key, work) for key in keys}
        accounts: dict[str, Account] = {}
        refusals: dict[str, Problem] = {}
        for key, entity in rows.items():
            try:
                accounts[key] = self.account_in(entity)
            except StorageUnavailable as error:
                # Other callers' operations in the batch go on.
                refusals[key] = storage_refusal(StorageUnavailable(f"{key}: {error}"))
        total = GlobalCount()
        if any(
            needs_total(pending.operation, accounts.get(row_key(pending.caller_id)), self.limits)
            for pending in work
        ):
            rows[GLOBAL_ROW] = require_known_layout(self.fetch_row(GLOBAL_ROW))
            total = GlobalCount.from_values(rows[GLOBAL_ROW].values)
        now = unix_milliseconds(self.clock())
        for pending in work:
            key = row_key(pending.caller_id)
            pending.refusal = refusals.get(key)
            if pending.refusal is None:
                try:
                    pending.result = pending.operation.apply_to(
                        accounts[key], total, now, self.limits
                    )
                except Problem as problem:
                    pending.refusal = problem
        states: list[tuple[str, Account | GlobalCount]] = [*accounts.items(), (GLOBAL_ROW, total)]
        writes = [
            write_of(rows[key].with_values(state.to_values()))
            for key, state in states
            if state.changed
        ]
        return writes, accounts

    def account_in(self, row: Entity) -> Account:
        """The account in that row: the one that this process wrote last, if it is that version of
        the row. Raises StorageUnavailable."""
        if (known := self.last_accounts.pop(row.row, None)) and known[0] == row.etag != "":
            known[1].changed = False
            # The layout was added when the row was inserted.
            known[1].unknown = unknown_values(row.values, ACCOUNT_COLUMN.fullmatch)
            return known[1]
        return Account.from_values(require_known_layout(row).values)

    def latest_row(self, key: str, work: Sequence[PendingOperation]) -> Entity:
        """A caller's row: the latest that a waiting thread read or this process wrote."""
        known = [
            pending.read for pending in work if pending.read and row_key(pending.caller_id) == key
        ]
        if known and key in self.last_written:
            known.append(self.last_written[key])
        if not known:
            return self.fetch_row(key)
        return max(known, key=lambda each: each[0])[1] or Entity(PARTITION, key)

    def fetch_row(self, key: str) -> Entity:
        return self.table.get(PARTITION, key) or Entity(PARTITION, key)

    def forget_stale_rows(
        self, work: Sequence[PendingOperation], writes: Sequence[Write], index: int | None
    ) -> None:
        """After a conflict: drops what was decided and the rows that have changed; backs off."""
        stale = {write.entity.row for write in writes}
        tries = max(pending.tries for pending in work)
        if index is not None and index < len(writes) and tries < TRUSTED_CONFLICTS:
            stale = {writes[index].entity.row}
        for pending in work:
            pending.result = pending.refusal = None
            pending.tries += 1
            if row_key(pending.caller_id) in stale:
                pending.read = None
        self.last_written = {
            key: each for key, each in self.last_written.items() if key not in stale
        }
        tries = min(max(pending.tries for pending in work), 8)
        longest = min(BACKOFF * 2**tries, LONGEST_BACKOFF)
        time.sleep(CHANCE.uniform(0, longest.total_seconds()))

    def refuse(
        self, work: Sequence[PendingOperation], code: str, *, may_be_written: bool = True
    ) -> None:
        """Refuses operations, and undoes bookings that may be written all the same."""
        for pending in work:
            pending.refusal = Problem(code, retry_after=RETRY_AFTER)
            if may_be_written and isinstance(pending.operation, BookCall):
                self.postpone(pending.caller_id, UndoBooking(pending.operation.name))


def write_of(entity: Entity) -> Write:
    """How a row is written: a new one is inserted."""
    return Write("replace", entity) if entity.etag else Write("insert", new_row(entity))


def row_key(caller_id: str) -> str:
    """The key of a caller's row."""
    return f"caller.{caller_id}"
