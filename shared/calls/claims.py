"""Whose call an upstream call id is: one row for each id, beside the records.

A page names a call that it started with a key by its upstream id, and that is all it takes to hang
the call up. So an id belongs to the caller who had it first, on all instances: its row is inserted
if there is none, and never given to another caller. The key is a hash, because a store's own logs
have the keys of rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from shared.calls.call_record import CallRecord, from_entity, to_entity
from shared.storage.interfaces import Conflict, Entity, Table
from shared.storage.row_layout import new_row

ROW = "claim"
RECORD = "record"
TRIES = 4


class Claims:
    """The claims on call ids, in the table of the records. Every method may raise
    `StorageUnavailable`."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def claim(self, record: CallRecord) -> CallRecord:
        """Claims the call id of `record`; returns the record that has it: this one, or an earlier
        one, whoever its caller is."""
        try:
            self.table.insert(claim_entity(record))
        except Conflict:
            # A claim is deleted only with its record, long after the call.
            return self.claimed(record.call_id) or record
        return record

    def claimed(self, call_id: str) -> CallRecord | None:
        """The call on record with that id, as it was when it began."""
        found = self.table.get(partition_of(call_id), ROW)
        if found is None:
            return None
        return replace(from_entity(found), id=str(found.values[RECORD]))

    def assign(self, record: CallRecord) -> None:
        """Claims the call id of a call that the broker started itself.

        The model's endpoint has just named it, so an earlier claim was made up.
        """
        entity = claim_entity(record)
        for _ in range(TRIES):
            try:
                self.table.insert(entity)
            except Conflict:
                present = self.table.get(entity.partition, ROW)
                if present is None:
                    continue
                try:
                    self.table.replace(present.with_values(entity.values))
                except Conflict:
                    continue
            return

    def forget(self, call_id: str) -> None:
        """Deletes the claim on a call whose record is deleted."""
        self.table.delete(partition_of(call_id), ROW)


def partition_of(call_id: str) -> str:
    """The partition of a claim. Records lie in partitions that are named after days."""
    return f"claim-{hashlib.sha256(call_id.encode()).hexdigest()}"


def claim_entity(record: CallRecord) -> Entity:
    values = {**to_entity(record).values, RECORD: record.id}
    return new_row(Entity(partition_of(record.call_id), ROW, values))
