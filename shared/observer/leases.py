"""Who follows a call: at most one observer at a time, another one if it dies.

A lease is a row under the call's id that names its holder and when the lease runs out. Every change
is held to the version that was read (ETag), so of two that reach for one lease one gets it, and a
holder who was too slow finds out at the next renewal. Instances' clocks may differ by a little:
make `lasts` long against that, and renew at a third of it.

A lease does not stop a holder that hangs and wakes up late; what it then writes to the transcript
is refused by the position it writes at (`shared.storage.Log`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.core.clock import Clock, utc_now
from shared.storage.interfaces import Conflict, Entity, StorageUnavailable, Table, Value
from shared.storage.refusal import storage_refusal

ROW = "observer"
NOTE_CHARACTERS = 16_000
# What an observer notes in its lease once it is connected.
ATTACHED = "attached"


class LeaseLost(Exception):
    """Another has taken the lease over: stop at once and write nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to follow one call until `until`.

    `note` is what the holder wrote down for whoever comes next (how far it had got). `held_before`
    says until when a previous holder had the lease without giving it back: from there on, something
    may have been missed.
    """

    call_id: str
    holder: str
    until: datetime
    note: str = ""
    held_before: datetime | None = None
    etag: str = ""


class LeaseStore(Protocol):
    """The leases of calls; `shared.observer.leases.Leases` is one."""

    lasts: timedelta

    def acquire(self, call_id: str, holder: str) -> Lease | None: ...
    def renew(self, lease: Lease, *, note: str | None = None) -> Lease: ...
    def release(self, lease: Lease) -> None: ...


class Leases:
    """The leases of all calls, in `table`. Every method may raise Problem storage_unavailable."""

    def __init__(self, table: Table, lasts: timedelta, *, clock: Clock = utc_now) -> None:
        self.table = table
        self.lasts = lasts
        self.clock = clock

    def acquire(self, call_id: str, holder: str) -> Lease | None:
        """The lease, new or taken over after it ran out; None while another holds it.

        `holder` names one run of an observer, not an instance or a message: a run that asks again
        gets the lease that it has.
        """
        for _ in range(2):
            try:
                return self.reached(call_id, holder)
            except Conflict:
                # Another was faster, or the answer to our own write got lost: look who it was.
                continue
            except StorageUnavailable as error:
                raise storage_refusal(error) from error
        return None

    def reached(self, call_id: str, holder: str) -> Lease | None:
        present = self.table.get(call_id, ROW)
        now = self.clock()
        lease = Lease(call_id, holder, now + self.lasts)
        if present is None:
            return self.written(lease, self.table.insert(row_of(lease)))
        before = read(present)
        if before.until > now and before.holder:
            return before if before.holder == holder else None
        lease = replace(
            lease,
            note=before.note,
            held_before=before.until if before.holder else None,
            etag=present.etag,
        )
        return self.written(lease, self.table.replace(row_of(lease)))

    def renew(self, lease: Lease, *, note: str | None = None) -> Lease:
        """The lease from now on, with a new note if one is given. Raises LeaseLost.

        A lease that ran out and that nobody took in the meantime is renewed all the same.
        """
        if note is not None and len(note) > NOTE_CHARACTERS:
            raise ValueError("a note is at most 16,000 characters")
        longer = replace(
            lease,
            until=self.clock() + self.lasts,
            note=lease.note if note is None else note,
        )
        return self.changed(longer)

    def release(self, lease: Lease) -> None:
        """Gives the lease back with its note, so that the next one need not wait.

        If another has it already, that is fine.
        """
        try:
            self.changed(replace(lease, until=self.clock(), holder=""))
        except LeaseLost:
            return

    def holder(self, call_id: str) -> Lease | None:
        """The lease of that call if somebody holds it now."""
        try:
            present = self.table.get(call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        lease = read(present) if present else None
        return lease if lease and lease.holder and lease.until > self.clock() else None

    def forget(self, call_id: str) -> None:
        """Deletes what is known of a call that is over for good."""
        try:
            self.table.delete(call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def changed(self, lease: Lease) -> Lease:
        """Writes the lease if it is still the holder's."""
        try:
            return self.written(lease, self.table.replace(row_of(lease)))
        except Conflict as error:
            return self.already(lease, error)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def already(self, lease: Lease, conflict: Conflict) -> Lease:
        """The lease, if the write that met a conflict was our own and its answer got lost."""
        try:
            present = self.table.get(lease.call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        if present and lease.holder and read(present).holder == lease.holder:
            return self.changed(replace(lease, etag=present.etag))
        raise LeaseLost(lease.call_id) from conflict

    def written(self, lease: Lease, entity: Entity) -> Lease:
        return replace(lease, etag=entity.etag)


def attached_to(leases: Leases, call_id: str) -> bool:
    """Whether an observer is connected to the call now."""
    lease = leases.holder(call_id)
    return lease is not None and lease.note == ATTACHED


def row_of(lease: Lease) -> Entity:
    """The row of a lease."""
    values: dict[str, Value] = {"holder": lease.holder, "until": lease.until, "note": lease.note}
    return Entity(lease.call_id, ROW, values, lease.etag)


def read(entity: Entity) -> Lease:
    """The lease in a row."""
    until = entity.values["until"]
    if not isinstance(until, datetime):
        raise TypeError("a lease without its time")
    holder, note = str(entity.values["holder"]), str(entity.values["note"])
    return Lease(entity.partition, holder, until, note, None, entity.etag)
