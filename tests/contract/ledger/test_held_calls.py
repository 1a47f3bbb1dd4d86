"""A call whose end is not known counts past its time, until it is settled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.problems import Problem
from shared.limits.ledger_store import shorten_booking
from tests.contract.ledger.conftest import Room

HELD = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


def test_a_held_call_counts_until_it_is_settled(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE)
    booking = ledger.book_call("ada")
    room.clock.advance(seconds=56)
    ledger.hold_call(booking.reference, HELD)
    room.clock.advance(minutes=10)
    with pytest.raises(Problem, match="too_many_live_calls"):
        ledger.book_call("ada")
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (1, 1)
    ledger.settle_call(booking.reference)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)
    ledger.book_call("ada")


def test_a_hold_ends_by_itself(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE)
    reference = ledger.book_call("ada").reference
    ledger.hold_call(reference, HELD)
    ledger.hold_call(reference, MINUTE)
    room.clock.advance(minutes=14)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (1, 1)
    room.clock.advance(minutes=2)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)


def test_a_call_whose_booking_has_run_out_is_counted_again(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, starts_per_minute=1, call_length=MINUTE)
    reference = ledger.book_call("ada").reference
    room.clock.advance(minutes=5)
    other = ledger.book_call("ada")
    ledger.settle_call(other.reference)
    room.clock.advance(minutes=1, seconds=1)
    ledger.hold_call(reference, HELD)
    usage = ledger.usage_of("ada")
    assert (usage.live_calls, usage.starts_last_minute, ledger.live_calls()) == (1, 0, 1)
    ledger.settle_call(reference)
    ledger.hold_call(other.reference, HELD)


def test_a_settled_call_is_not_held(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE)
    reference = ledger.book_call("ada").reference
    ledger.settle_call(reference)
    ledger.hold_call(reference, HELD)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)


def test_a_hold_that_comes_late_does_not_revive_a_settled_call(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE * 10)
    reference = ledger.book_call("ada").reference
    room.clock.advance(minutes=9, seconds=56)
    ledger.settle_call(reference)
    room.clock.advance(minutes=1)
    ledger.settle_call(ledger.book_call("ada").reference)
    ledger.hold_call(reference, HELD)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)


@pytest.mark.parametrize("outage", [timedelta(minutes=9), timedelta(minutes=12)])
def test_a_hold_that_was_postponed_does_not_revive_a_settled_call(
    room: Room, outage: timedelta
) -> None:
    one, other = (room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE) for _ in "ab")
    reference = one.book_call("ada").reference
    room.clock.advance(seconds=56)
    room.table.unavailable = True
    one.hold_call(reference, HELD)
    room.table.unavailable = False
    other.settle_call(reference)
    room.clock.now += outage
    other.settle_call(other.book_call("ada").reference)
    one.settle_call(one.book_call("eve").reference)
    assert (one.usage_of("ada").live_calls, one.live_calls()) == (0, 0)


def test_a_call_with_a_key_that_was_held_counts_to_its_own_end(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE)
    ledger.book_key("ada", "default", MINUTE)
    reference = ledger.register_call("ada", "default", "a call").reference
    for late in (False, True):
        room.clock.advance(seconds=28)
        ledger.hold_call(reference, HELD)
        ledger.hold_call(reference, 2 * HELD)
        if late:
            room.clock.advance(minutes=1)
        ledger.settle_call(reference)
        live = 0 if late else 1
        assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (live, live)
    ledger.book_call("ada")


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=8)])
def test_a_settled_call_with_a_key_is_not_held_again(
    room: Room, held: bool, late: timedelta
) -> None:
    """Two end messages of a call may be delivered at once: one reads the record before the other
    settles it, and holds the call after that."""
    ledger = room.ledger(live_calls=1, live_calls_total=5, call_length=MINUTE)
    ledger.book_key("ada", "default", MINUTE)
    reference = ledger.register_call("ada", "default", "a call").reference
    room.clock.advance(seconds=28)
    if held:
        ledger.hold_call(reference, HELD)
    ledger.settle_call(reference)
    room.clock.now += late
    ledger.settle_call(ledger.book_call("eve").reference)
    ledger.hold_call(reference, HELD)
    room.clock.advance(minutes=2)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)


@pytest.mark.parametrize("api", [REALTIME, LIVE])
def test_a_call_that_may_have_begun_counts_for_a_while(room: Room, api: VoiceApi) -> None:
    ledger = room.ledger(
        live_calls=1, live_calls_total=5, live_sessions=1, seconds_per_day=3600, call_length=HELD
    )
    reference = ledger.book_call("ada", api=api).reference
    for _ in range(2):
        shorten_booking(ledger, reference, MINUTE)
    with pytest.raises(Problem, match="too_many_live_calls"):
        ledger.book_call("ada", api=api)
    if api == LIVE:
        with pytest.raises(Problem, match="live_sessions_busy"):
            ledger.book_call("bob", api=LIVE)
    room.clock.advance(minutes=1, seconds=1)
    assert (ledger.usage_of("ada").live_calls, ledger.live_calls()) == (0, 0)
    ledger.book_call("bob", api=LIVE)


def test_a_settled_call_is_not_shortened(room: Room) -> None:
    ledger = room.ledger(live_calls=1, call_length=HELD)
    reference = ledger.book_call("ada").reference
    ledger.settle_call(reference)
    shorten_booking(ledger, reference, MINUTE)
    assert ledger.usage_of("ada").live_calls == 0
