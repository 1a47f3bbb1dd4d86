"""The sessions of GPT-Live of all callers, which the provider limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.config.voice_api import LIVE
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import Entity
from tests.contract.ledger.conftest import Room
from tests.support.ledger_reader import live_sessions

HELD = timedelta(minutes=15)


def refused_session(ledger: Ledger, caller: str = "eve") -> Problem:
    with pytest.raises(Problem) as problem:
        ledger.book_call(caller, api=LIVE)
    return problem.value


def test_sessions_of_all_callers_are_limited_and_calls_are_not(room: Room) -> None:
    ledger = room.ledger(live_sessions=2, call_length=timedelta(seconds=40))
    first, second = (ledger.book_call(name, api=LIVE) for name in ("ada", "bob"))
    problem = refused_session(ledger)
    assert (problem.code, problem.status) == ("live_sessions_busy", 429)
    assert problem.retry_after == timedelta(seconds=40)
    for _ in range(3):
        ledger.book_call("eve")
    assert live_sessions(ledger) == 2
    ledger.settle_call(first.reference)
    ledger.settle_call(first.reference)
    ledger.undo_booking(first)
    assert live_sessions(ledger) == 1
    ledger.undo_booking(second)
    ledger.undo_booking(second, keep_start=True)
    assert live_sessions(ledger) == 0
    ledger.book_call("eve", api=LIVE)


def test_a_session_past_its_end_no_longer_counts(room: Room) -> None:
    ledger = room.ledger(live_sessions=1, call_length=timedelta(minutes=15))
    booking = ledger.book_call("ada", api=LIVE)
    room.clock.advance(minutes=15)
    ledger.book_call("bob", api=LIVE)
    ledger.settle_call(booking.reference)
    assert live_sessions(ledger) == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_session_whose_end_is_not_known_counts_until_it_is_settled(
    room: Room, late: bool
) -> None:
    ledger = room.ledger(live_sessions=2, live_calls=5, call_length=timedelta(minutes=1))
    booking = ledger.book_call("ada", api=LIVE)
    room.clock.advance(minutes=5 if late else 0.9)
    if late:
        ledger.settle_call(ledger.book_call("ada").reference)
    ledger.hold_call(booking.reference, HELD, LIVE)
    room.clock.advance(minutes=10)
    assert live_sessions(ledger) == 1
    ledger.settle_call(booking.reference)
    assert live_sessions(ledger) == 0


def test_a_hold_that_does_not_say_the_api_keeps_the_session(room: Room) -> None:
    ledger = room.ledger(live_sessions=1, call_length=timedelta(minutes=1))
    booking = ledger.book_call("ada", api=LIVE)
    ledger.hold_call(booking.reference, HELD)
    room.clock.advance(minutes=10)
    assert refused_session(ledger).code == "live_sessions_busy"
    ledger.settle_call(booking.reference)
    assert live_sessions(ledger) == 0


def test_sessions_and_calls_are_counted_apart(room: Room) -> None:
    ledger = room.ledger(live_sessions=2, live_calls_total=3)
    sessions = [ledger.book_call(name, api=LIVE).reference for name in ("ada", "bob")]
    call = ledger.book_call("cyd").reference
    assert (ledger.live_calls(), live_sessions(ledger)) == (3, 2)
    assert refused_session(ledger).code == "all_lines_busy"
    ledger.settle_call(call)
    assert refused_session(ledger).code == "live_sessions_busy"
    for reference in sessions:
        ledger.settle_call(reference)
    assert (ledger.live_calls(), live_sessions(ledger)) == (0, 0)


def test_an_earlier_release_keeps_what_is_counted_of_sessions(room: Room) -> None:
    """It knows the columns of live calls alone, and writes the others back as they are."""
    ledger = room.ledger(live_sessions=2, live_calls_total=9)
    booking = ledger.book_call("ada", api=LIVE)
    row = room.row("everyone")
    room.table.replace(row.with_values({**row.values, "held0": "[]", "colour": "green"}))
    assert (ledger.live_calls(), live_sessions(ledger)) == (0, 1)
    ledger.settle_call(booking.reference)
    assert live_sessions(ledger) == 0
    assert room.row("everyone").values["colour"] == "green"


def test_a_row_of_an_earlier_release_has_no_sessions(room: Room) -> None:
    now = int(room.clock.now.timestamp() * 1000)
    room.table.insert(Entity("live", "everyone", {"held0": f"[[{now + 60_000},3]]", "layout": 1}))
    ledger = room.ledger(live_sessions=1, live_calls_total=9)
    assert (ledger.live_calls(), live_sessions(ledger)) == (3, 0)
    ledger.book_call("ada", api=LIVE)
    assert (ledger.live_calls(), live_sessions(ledger)) == (4, 1)


def test_a_session_booked_under_other_limits_is_settled(room: Room) -> None:
    before = room.ledger(live_sessions=1)
    reference = before.book_call("ada", api=LIVE).reference
    room.ledger(live_calls=1).settle_call(reference)
    assert live_sessions(before) == 0
