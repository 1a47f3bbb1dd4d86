"""The rows of callers: how large they get, what is kept in them, and whom a bad one costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.core.clock import unix_milliseconds
from shared.core.problems import Problem
from shared.limits.account import Account
from shared.limits.booked_call import UNUSED_KEY, BookedCall
from shared.limits.global_count import EXACT_ENDS, GlobalCount
from shared.limits.ledger_store import CallerUsage
from shared.storage.interfaces import Entity, Write, WriteRefused
from tests.contract.ledger.conftest import Room


def test_a_day_of_calls_leaves_a_small_row(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=6, live_calls=2, tokens_per_day=10**6)
    for number in range(40):
        reference = ledger.book_call("ada").reference
        ledger.count_tokens(reference, number)
        ledger.settle_call(reference)
        room.clock.advance(minutes=5)
    (row,) = room.table.query("live")
    assert len(str(row.values)) < 1000


def test_a_row_keeps_its_layout_when_it_is_written_again(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=6, tokens_per_day=10**6)
    for _ in range(3):
        ledger.book_call("ada")
        assert room.row("caller.ada").values["layout"] == 1


def test_rows_that_count_nothing_are_swept(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=6, tokens_per_day=100, live_calls_total=9)
    spender, _, _ = (ledger.book_call(name) for name in ("ada", "bob", "Cyd"))
    ledger.count_tokens(spender.reference, 1)
    assert ledger.sweep_rows() == 0
    room.clock.advance(hours=1)
    ledger.book_call("bob")
    assert ledger.sweep_rows() == 1
    assert ledger.sweep_rows() == 0
    rows = [entity.row for entity in room.table.query("live")]
    assert rows == ["caller.ada", "caller.bob", "everyone"]
    room.clock.advance(days=1)
    assert ledger.sweep_rows() == 2
    assert ledger.usage_of("ada") == CallerUsage(0, 0, 0)
    ledger.book_call("ada")


def test_thousands_of_live_calls_fit(room: Room) -> None:
    ledger = room.ledger(live_calls_total=0, live_calls=5000)
    (row,) = [room.table.insert(full_row(room, 2000))]
    assert ledger.usage_of("ada").live_calls == 2000
    ledger.book_call("ada")
    assert ledger.usage_of("ada").live_calls == 2001
    assert row.etag != room.row("caller.ada").etag


def full_row(room: Room, number: int) -> Entity:
    now = int(room.clock.now.timestamp() * 1000)
    bookings = {f"{index:012x}": BookedCall(now, now + 900_000) for index in range(number)}
    return Entity("live", "caller.ada", Account(bookings).to_values())


def test_ends_are_kept_exactly_and_then_rounded_up_but_never_down() -> None:
    total, now = GlobalCount(), 1_000_000
    counted = {end: total.add_call(now, end) for end in range(now + 900_000, now + 910_000, 3)}
    assert len(total.calls.ends) <= EXACT_ENDS + 300
    assert all(0 <= at - end <= 4_000 for end, at in counted.items())
    assert total.live_calls(now) == len(counted)
    for at in counted.values():
        total.remove_call(at)
    assert total.live_calls(now) == 0


def test_thousands_of_keys_fit(room: Room) -> None:
    ledger = room.ledger()
    now = int(room.clock.now.timestamp() * 1000)
    about = {"profile": "p" * 63}
    bookings = {
        f"{index:012x}": BookedCall(now, now + 900_000, key=UNUSED_KEY, about=about)
        for index in range(1500)
    }
    room.table.insert(Entity("live", "caller.ada", Account(bookings).to_values()))
    for call in range(2):
        assert ledger.register_call("ada", "p" * 63, f"rtc_{call}").reference.startswith("ada.")


def row_of(room: Room, caller_id: str, **booked: Any) -> None:
    """A row with more bookings than storage would take of the next one."""
    now = unix_milliseconds(room.clock())
    bookings = {
        f"{number:012x}": BookedCall(now, now + 900_000, **booked) for number in range(5700)
    }
    room.table.insert(Entity("live", f"caller.{caller_id}", Account(bookings).to_values()))


def test_a_caller_whose_row_is_full_is_refused_and_nobody_else(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=5000)
    row_of(room, "ada", live=True)
    with pytest.raises(Problem, match="too_many_starts"):
        ledger.book_call("ada")
    ledger.book_call("eve")


def test_ended_calls_do_not_fill_a_callers_row(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=5000)
    row_of(room, "ada", live=False)
    room.clock.advance(minutes=2)
    ledger.settle_call(ledger.book_call("ada").reference)
    assert len(str(room.row("caller.ada").values)) < 1_000


def test_a_row_that_storage_does_not_take_costs_its_caller_alone(room: Room) -> None:
    """Such as one with a column that somebody has added, and that cannot be written."""
    ledger = room.ledger(live_calls=2)
    booking = ledger.book_call("ada")
    row = room.row("caller.ada").row

    def refuse_ada(writes: Sequence[Write]) -> list[Entity]:
        if any(write.entity.row == row for write in writes):
            raise WriteRefused("not this row")
        return room.table.write(writes)

    room.table.transact_hook = refuse_ada
    ledger.settle_call(booking.reference)
    for caller in ("eve", "bob"):
        ledger.settle_call(ledger.book_call(caller).reference)
    with pytest.raises(Problem, match="storage_unavailable"):
        ledger.book_call("ada")
    ledger.book_call("eve")
    room.table.transact_hook = None
    for pending in ledger.transactions.postponed:
        pending.not_before = 0.0
    ledger.book_call("bob")
    assert ledger.usage_of("ada").live_calls == 0, "what was to be given back is not lost"


def test_an_offer_that_was_refused_is_known_no_longer_than_it_counts(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=0, live_calls=5)
    for _ in range(20):
        ledger.undo_booking(ledger.book_call("ada"), keep_start=True)
    room.clock.advance(minutes=1, seconds=1)
    ledger.undo_booking(ledger.book_call("ada"))
    assert len(str(room.row("caller.ada").values)) < 200
