"""A key that another endpoint has minted than the one that it was booked for."""

from __future__ import annotations

from shared.limits.key_rules import MoveKey
from shared.limits.ledger_store import Booking, Ledger, name_of


def move_key(ledger: Ledger, booking: Booking, endpoint: str) -> None:
    """The key of that booking is for `endpoint`; "" is the default one. Raises Problem
    storage_unavailable or ledger_busy."""
    ledger.transactions.carry_out(booking.caller_id, MoveKey(name_of(booking.reference), endpoint))
