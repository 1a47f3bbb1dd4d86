"""Who follows a call: at most one run at a time, and another one if it dies.

A lease is a row under the call's id that names its holder and the time until which it is held. A
write succeeds only against the version that was read (ETag). So of two runs that want one lease one
gets it, and a holder that was too slow finds out at its next renewal. The clocks of instances
differ by a little (storage/storage_clock.py): `lasts` must be long against that, and a lease is
renewed after a third of it.

A holder that is about to stop offers its lease while it still follows the call. A run elsewhere
connects, names itself the heir, and gets the lease once the holder has written all that it has: so
the call is followed without a break. Before it stops, the holder accepts the run that has asked
last, and nobody may ask from then on: who connects later has missed something.

A lease does not stop a holder that hangs and wakes up late; what it then writes to the record is
refused because of the position that it writes at (`shared.storage.interfaces.Log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.core.clock import EPOCH, Clock, utc_now
from shared.storage.interfaces import Conflict, Entity, StorageUnavailable, Table, Value
from shared.storage.refusal import storage_refusal
from shared.storage.row_layout import new_row, require_known_layout, unknown_values

# When an instance dies, its calls are unobserved for this long; each call costs a message and three
# small writes in that time (docs/scale.md).
LEASE_DURATION = timedelta(seconds=30)
ROW = "observer"
COLUMNS = ("holder", "until", "note", "offered_by", "heir", "handled")
CHANGES_AT_MOST = 5
"""How often a row may change under a write of more than its holder's."""
NOTE_CHARACTERS = 16_000
ATTACHED = "attached"
"""The note of a holder that is connected to the call."""


class LeaseLost(Exception):
    """Another run has taken over the lease: stop at once and write nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to follow one call until `until`.

    `note` is what the holder left for whoever asks about the lease. `held_before` says until when
    the previous holder held the lease, if it never released it: something may be missing from
    before that time. `offered_by` is the holder while it wants to hand the call over, and `heir`
    the run that has asked for it; `handled` tells that one what the holder has handled last
    (sideband/fingerprints.py). `unknown` has the row's columns that a later release has added.
    """

    call_id: str
    holder: str
    until: datetime
    note: str = ""
    held_before: datetime | None = None
    etag: str = ""
    unknown: Mapping[str, Value] = field(default_factory=dict, compare=False)
    offered_by: str = ""
    heir: str = ""
    handled: str = ""

    @property
    def is_offered(self) -> bool:
        """Whether its holder wants to hand the call over. An earlier release keeps the column
        without a meaning, so it has to name the holder."""
        return bool(self.holder) and self.offered_by == self.holder


class LeaseStore(Protocol):
    """The leases of calls; `Leases` is one. Every method may raise Problem storage_unavailable."""

    lasts: timedelta

    def acquire(self, call_id: str, holder: str) -> Lease | None: ...
    def renew(self, lease: Lease, *, note: str | None = None) -> Lease: ...
    def release(self, lease: Lease) -> None: ...
    def holder(self, call_id: str) -> Lease | None: ...
    def latest(self, call_id: str) -> Lease | None: ...
    def forget(self, call_id: str) -> None: ...
    def offer(self, lease: Lease) -> Lease: ...
    def claim(self, call_id: str, heir: str) -> bool: ...
    def accept(self, lease: Lease) -> Lease: ...
    def withdraw(self, call_id: str, heir: str) -> None: ...
    def hand_over(self, lease: Lease, handled: str) -> bool: ...


class Leases:
    """The leases of all calls, in `table`. Every method may raise Problem storage_unavailable."""

    def __init__(self, table: Table, lasts: timedelta, *, clock: Clock = utc_now) -> None:
        self.table = table
        self.lasts = lasts
        self.clock = clock

    def acquire(self, call_id: str, holder: str) -> Lease | None:
        """The lease, new or taken over after it ran out; None while another run holds it.

        `holder` names one run of an observer, not an instance or a message. A run that asks again
        gets the lease that it has.
        """
        for _ in range(2):
            try:
                return self.acquire_once(call_id, holder)
            except Conflict:
                # Another run was faster, or the answer to our own write was lost: look again.
                continue
            except StorageUnavailable as error:
                raise storage_refusal(error) from error
        return None

    def acquire_once(self, call_id: str, holder: str) -> Lease | None:
        """As `acquire`. Raises Conflict, StorageUnavailable."""
        present = self.table.get(call_id, ROW)
        now = self.clock()
        lease = Lease(call_id, holder, now + self.lasts)
        if present is None:
            inserted = self.table.insert(new_row(to_entity(lease)))
            return replace(lease, etag=inserted.etag, unknown=unknown_columns(inserted))
        before = from_entity(require_known_layout(present))
        if before.until > now and before.holder:
            return before if before.holder == holder else None
        lease = replace(
            lease,
            note=before.note,
            held_before=before.until if before.holder else None,
            etag=present.etag,
            unknown=before.unknown,
        )
        return self.write_row(lease)

    def renew(self, lease: Lease, *, note: str | None = None) -> Lease:
        """The lease from now on, with a new note if one is given. Raises LeaseLost.

        A lease that ran out and that nobody has taken meanwhile is renewed all the same.
        """
        if note is not None and len(note) > NOTE_CHARACTERS:
            raise ValueError("a note is at most 16,000 characters")
        longer = replace(
            lease,
            until=self.clock() + self.lasts,
            note=lease.note if note is None else note,
        )
        return self.update_held(longer)

    def release(self, lease: Lease) -> None:
        """Gives the lease back, so that the next run need not wait. Its note stays.

        If another run has it already, that is fine.
        """
        try:
            self.update_held(replace(lease, until=self.clock(), holder="", offered_by=""))
        except LeaseLost:
            return

    def offer(self, lease: Lease) -> Lease:
        """Renews the lease and lets another run ask for it. Raises LeaseLost."""
        until = self.clock() + self.lasts
        return self.update_held(replace(lease, until=until, offered_by=lease.holder))

    def claim(self, call_id: str, heir: str) -> bool:
        """Asks the holder of an offered lease for it: `heir` is to follow the call next. False if
        it is not offered."""
        for _ in range(CHANGES_AT_MOST):
            present = self.latest(call_id)
            if present is None or not present.is_offered or present.until <= self.clock():
                return False
            try:
                self.write_row(replace(present, heir=heir))
                return True
            except Conflict:
                continue
        return False

    def accept(self, lease: Lease) -> Lease:
        """Renews the lease and ends its offer: `heir` is whoever has asked last, or "" if that run
        has given up. Raises LeaseLost."""
        return self.update_held(replace(lease, until=self.clock() + self.lasts, offered_by=""))

    def withdraw(self, call_id: str, heir: str) -> None:
        """Takes a claim back, so that the lease is not given to a run that is gone; if it has been
        given already, gives it back."""
        for _ in range(CHANGES_AT_MOST):
            present = self.latest(call_id)
            if present is None or heir not in (present.heir, present.holder):
                return
            kept = "" if present.holder == heir else present.holder
            try:
                self.write_row(replace(present, holder=kept, heir=""))
                return
            except Conflict:
                continue

    def hand_over(self, lease: Lease, handled: str) -> bool:
        """Gives the lease to the run that has asked for it, for its full length. False if none has,
        or if the lease is another's."""
        for _ in range(CHANGES_AT_MOST):
            present = self.latest(lease.call_id)
            if present is None or present.holder != lease.holder or not present.heir:
                return False
            given = replace(present, holder=present.heir, offered_by="", heir="", handled=handled)
            try:
                self.write_row(replace(given, until=self.clock() + self.lasts))
                return True
            except Conflict:
                continue
        return False

    def write_row(self, lease: Lease) -> Lease:
        """Writes a lease over the version that was read. Raises Conflict, Problem
        storage_unavailable."""
        try:
            return replace(lease, etag=self.table.replace(to_entity(lease)).etag)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def holder(self, call_id: str) -> Lease | None:
        """The lease of that call if a run holds it now."""
        lease = self.latest(call_id)
        return lease if lease and lease.holder and lease.until > self.clock() else None

    def latest(self, call_id: str) -> Lease | None:
        """The lease of that call, held, given back or run out."""
        try:
            present = self.table.get(call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        return from_entity(present) if present else None

    def forget(self, call_id: str) -> None:
        """Deletes the lease of a call that is over."""
        try:
            self.table.delete(call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def update_held(self, lease: Lease) -> Lease:
        """Writes a lease if it is still the holder's. Raises LeaseLost."""
        try:
            return self.write_row(lease)
        except Conflict as conflict:
            return self.update_after_conflict(lease, conflict)

    def update_after_conflict(self, lease: Lease, conflict: Conflict) -> Lease:
        """Writes the lease again if the conflict was with a write of our own whose answer was
        lost. Raises LeaseLost."""
        try:
            present = self.table.get(lease.call_id, ROW)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        if present and lease.holder and from_entity(present).holder == lease.holder:
            # Whoever asks for an offered lease writes the row, too.
            heir = from_entity(present).heir
            return self.update_held(replace(lease, etag=present.etag, heir=heir))
        raise LeaseLost("another run has taken it over") from conflict


def attached_to(leases: Leases, call_id: str) -> bool:
    """Whether an observer is connected to the call now."""
    lease = leases.holder(call_id)
    return lease is not None and lease.note == ATTACHED


def to_entity(lease: Lease) -> Entity:
    """The row of a lease."""
    own: dict[str, Value] = {name: getattr(lease, name) for name in COLUMNS}
    return Entity(lease.call_id, ROW, {**lease.unknown, **own}, lease.etag)


def from_entity(entity: Entity) -> Lease:
    """The lease in a row."""
    until = entity.values.get("until")
    if not isinstance(until, datetime):
        # Somebody has edited it: it has run out, and the next run writes it anew.
        until = EPOCH
    text = {name: str(entity.values.get(name, "")) for name in COLUMNS if name != "until"}
    return Lease(
        entity.partition,
        text["holder"],
        until,
        text["note"],
        etag=entity.etag,
        unknown=unknown_columns(entity),
        offered_by=text["offered_by"],
        heir=text["heir"],
        handled=text["handled"],
    )


def unknown_columns(entity: Entity) -> dict[str, Value]:
    return unknown_values(entity.values, COLUMNS.__contains__)
