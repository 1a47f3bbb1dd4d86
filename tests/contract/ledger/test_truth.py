"""Whatever happens in whatever order, the ledger ends with the right counts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.problems import Problem
from shared.limits.ledger_store import Booking
from shared.storage.memory import MemoryStorage
from tests.contract.ledger.conftest import Room
from tests.support.faulty_table import FaultyTable

CALLERS = ("ada", "bob", "cyd")
LENGTH = timedelta(minutes=15)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["book", "book", "book", "settle", "undo", "spend", "wait", "away", "lose", "back"]
        ),
        st.integers(0, 30),
        st.integers(0, 1),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=150)
@given(STEPS)
def test_the_ledger_ends_with_the_right_counts(steps: list[tuple[str, int, int]]) -> None:
    room = Room(FaultyTable(MemoryStorage().table("ledger")))
    limits: dict[str, Any] = {"starts_per_minute": 9, "live_calls": 4, "live_calls_total": 7}
    instances = [room.ledger(tokens_per_day=10**6, **limits) for _ in range(2)]
    live: dict[str, tuple[str, datetime]] = {}
    told: dict[str, int] = {}
    written: dict[str, int] = {}
    undone: set[str] = set()
    bookings: list[Booking] = []

    for step, number, instance in steps:
        ledger = instances[instance]
        if step == "wait":
            room.clock.advance(seconds=number * 10)
        elif step in ("away", "lose", "back"):
            room.table.unavailable, room.table.lose_answers = step == "away", step == "lose"
        elif step == "book":
            caller = CALLERS[number % 3]
            present = [each for each in live.values() if each[1] > room.clock.now]
            try:
                booking = ledger.book_call(caller)
            except Problem:
                continue
            assert len(present) < 7
            assert sum(each[0] == caller for each in present) < 4
            bookings.append(booking)
            live[booking.reference] = (caller, booking.ends_at)
        elif bookings:
            booking = bookings[number % len(bookings)]
            if step == "settle":
                ledger.settle_call(booking.reference)
                live.pop(booking.reference, None)
            elif step == "undo":
                ledger.undo_booking(booking)
                live.pop(booking.reference, None)
                undone.add(booking.reference)
            elif room.clock.now < booking.ends_at and booking.reference not in undone:
                name, tokens = booking.reference, number * 100
                told[name] = max(told.get(name, 0), tokens)
                try:
                    ledger.count_tokens(name, tokens)
                except Problem:
                    continue
                written[name] = max(written.get(name, 0), tokens)

    room.table.unavailable = room.table.lose_answers = False
    # Postponed operations are carried by later writes, ten at a time.
    for ledger in instances * 12:
        ledger.settle_call("nobody.000000000000")
    now = room.clock.now
    assert instances[0].live_calls() == sum(ends > now for _, ends in live.values())
    for caller in CALLERS:
        held = sum(who == caller and ends > now for who, ends in live.values())
        usage = instances[1].usage_of(caller)
        assert usage.live_calls == held
        assert total(written, caller) <= usage.tokens_today <= total(told, caller)


def total(tokens: dict[str, int], caller: str) -> int:
    return sum(number for name, number in tokens.items() if name.startswith(f"{caller}."))
