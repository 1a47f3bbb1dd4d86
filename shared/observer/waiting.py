"""Calls that wait for an observer: all instances are full, or none takes messages. Blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.calls.call_record import CallRecord
from shared.calls.records import Records
from shared.config.env import Observer
from shared.core import logs
from shared.core.chance import CHANCE
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.observer.leases import LeaseStore
from shared.storage.interfaces import StorageUnavailable
from shared.storage.refusal import storage_refusal

LATE_AFTER = timedelta(seconds=15)
"""A call is followed within a few seconds of its start."""
LOOKS_BACK = timedelta(minutes=3)
LOOKED_AT = 200
"""At most, of those that started lately: each costs a request to storage."""


def waiting_calls(records: Records, leases: LeaseStore, now: datetime) -> list[CallRecord]:
    """Running calls of the last minutes that no run has ever followed. Raises Problem
    storage_unavailable, StorageUnavailable."""
    lately = [
        record
        for record in records.started_since(now - LOOKS_BACK, now)
        if not record.settled_by and record.call_id and record.started_at <= now - LATE_AFTER
    ]
    lately = CHANCE.sample(lately, min(len(lately), LOOKED_AT))
    return [record for record in lately if leases.latest(record.call_id) is None]


def log_waiting(record: CallRecord, now: datetime, reason: str) -> None:
    """Logs that a call has no observer yet, or has waited long for one."""
    seconds = round((now - record.started_at).total_seconds())
    logs.event(
        "call waits for observer", logging.WARNING, call=record.id, seconds=seconds, reason=reason
    )


def observer_checks(
    mode: Observer, records: Records, leases: LeaseStore, clock: Clock
) -> dict[str, Callable[[], object]]:
    """The check of whether running calls are observed, where calls are."""

    def find_waiting() -> None:
        try:
            waiting = waiting_calls(records, leases, clock())
        except StorageUnavailable as error:
            raise storage_refusal(error) from error
        if waiting:
            raise Problem("calls_unobserved")

    return {} if mode == "off" else {"observers": find_waiting}
