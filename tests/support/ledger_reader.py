"""What a ledger has counted that nothing but tests asks it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.core.clock import unix_milliseconds
from shared.limits.account import Account
from shared.limits.global_count import GlobalCount
from shared.limits.ledger_store import Ledger
from shared.limits.times import to_timedelta
from shared.limits.transactions import GLOBAL_ROW, row_key


@dataclass(frozen=True, slots=True)
class CallerTime:
    """The time of one caller's calls today: what they have used, and what running ones may still
    use."""

    used: timedelta
    reserved: timedelta


def time_of(ledger: Ledger, caller_id: str) -> CallerTime:
    """What the caller has used today of the time that is limited. Raises Problem
    storage_unavailable."""
    account = ledger.read_row(row_key(caller_id), Account)
    now = unix_milliseconds(ledger.clock())
    overtime = account.time.overtime(now, account.bookings)
    until_now = {
        name: min(now, overtime.get(name, timed.until))
        for name, timed in account.time.calls.items()
    }
    used = account.time.counted_on_day(now, until_now)
    counted = account.time.counted_on_day(now, overtime)
    return CallerTime(to_timedelta(used), to_timedelta(counted - used))


def live_sessions(ledger: Ledger) -> int:
    """The sessions of GPT-Live of all callers; counted only where `live_sessions` is set.

    Raises Problem storage_unavailable.
    """
    total = ledger.read_row(GLOBAL_ROW, GlobalCount)
    return total.sessions.live(unix_milliseconds(ledger.clock()))
