"""The time of a caller's calls by day: what is used, what is reserved, and who gets no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.config.voice_api import LIVE, REALTIME
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking, Ledger
from tests.contract.ledger.conftest import Room
from tests.support.ledger_reader import time_of

CALL = timedelta(minutes=15)
HELD = timedelta(minutes=15)
KEY_LIFE = timedelta(seconds=15)


def refusal(ledger: Ledger, **of: Any) -> Problem:
    with pytest.raises(Problem) as problem:
        ledger.book_call("ada", **of)
    return problem.value


def held_call(room: Room, ledger: Ledger, *, after: float) -> Booking:
    """A call whose end is postponed once it has lasted so many seconds."""
    booking = ledger.book_call("ada")
    room.clock.advance(seconds=after)
    ledger.hold_call(booking.reference, HELD)
    return booking


def lasts(booking: Booking) -> float:
    return (booking.ends_at - booking.started_at).total_seconds()


def used(ledger: Ledger) -> tuple[float, float]:
    """Seconds used and reserved today."""
    time = time_of(ledger, "ada")
    return time.used.total_seconds(), time.reserved.total_seconds()


def at(room: Room, hour: int, minute: int, second: int = 0) -> None:
    room.clock.now = datetime(2026, 11, 20, hour, minute, second, tzinfo=UTC)


def test_a_call_uses_its_time_from_start_to_settlement(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=3600)
    booking = ledger.book_call("ada")
    assert (lasts(booking), used(ledger)) == (900, (0, 900))
    room.clock.advance(seconds=100)
    assert used(ledger) == (100, 800)
    ledger.settle_call(booking.reference)
    ledger.settle_call(booking.reference)
    room.clock.advance(seconds=100)
    assert used(ledger) == (100, 0)


def test_a_call_ends_when_the_days_time_is_used_up(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1000)
    first = ledger.book_call("ada")
    second = ledger.book_call("ada")
    assert (lasts(first), lasts(second)) == (900, 100)
    problem = refusal(ledger)
    assert (problem.code, problem.status) == ("seconds_used_up", 429)
    assert problem.retry_after == timedelta(hours=11, minutes=30)
    ledger.book_call("bob")
    ledger.settle_call(second.reference)
    room.clock.advance(seconds=60)
    ledger.settle_call(first.reference)
    assert used(ledger) == (60, 0)
    assert lasts(ledger.book_call("ada")) == 900


@pytest.mark.parametrize(
    ("api", "left", "admitted"),
    [(REALTIME, 9, False), (REALTIME, 10, True), (LIVE, 14, False), (LIVE, 15, True)],
)
def test_no_call_is_started_that_would_be_too_short(
    room: Room, api: Any, left: int, admitted: bool
) -> None:
    ledger = room.ledger(seconds_per_day=100)
    booking = ledger.book_call("ada", lasts=timedelta(seconds=100 - left))
    room.clock.now = booking.ends_at
    ledger.settle_call(booking.reference)
    if admitted:
        assert lasts(ledger.book_call("ada", api=api)) == left
    else:
        assert refusal(ledger, api=api).code == "seconds_used_up"
    room.clock.now = datetime(2026, 11, 21, tzinfo=UTC)
    assert lasts(ledger.book_call("ada", api=api)) == 100


def test_a_live_call_uses_at_least_what_its_session_costs(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1000)
    for _ in range(2):
        ledger.settle_call(ledger.book_call("ada", api=LIVE).reference)
    assert used(ledger) == (0, 30)
    room.clock.advance(seconds=16)
    assert used(ledger) == (30, 0)
    booking = ledger.book_call("ada", api=LIVE)
    room.clock.advance(seconds=40)
    ledger.settle_call(booking.reference)
    assert used(ledger) == (70, 0)
    ledger.settle_call(ledger.book_call("ada", lasts=timedelta(seconds=10), api=LIVE).reference)
    assert used(ledger) == (70, 15)


def test_a_start_that_came_to_nothing_uses_no_time(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1000, starts_per_minute=9)
    for keep_start in (True, False):
        booking = ledger.book_call("ada", api=LIVE)
        room.clock.advance(seconds=20)
        ledger.undo_booking(booking, keep_start=keep_start)
        ledger.undo_booking(booking, keep_start=keep_start)
    assert used(ledger) == (0, 0)


@pytest.mark.parametrize("starts", [0, 9])
def test_a_call_that_ran_and_is_then_undone_has_used_its_time(room: Room, starts: int) -> None:
    """As one that is refused after its session was created."""
    ledger = room.ledger(seconds_per_day=1000, starts_per_minute=starts)
    booking = ledger.book_call("ada", api=LIVE)
    room.clock.advance(seconds=2)
    ledger.settle_call(booking.reference)
    ledger.undo_booking(booking)
    room.clock.advance(seconds=20)
    ledger.settle_call(ledger.book_call("ada").reference)
    assert used(ledger) == (15, 0)


def test_a_call_that_nobody_settles_has_used_all_it_could(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1000)
    ledger.book_call("ada")
    room.clock.advance(hours=1)
    assert lasts(ledger.book_call("ada")) == 100
    assert used(ledger) == (900, 100)


def test_a_call_over_midnight_counts_on_each_day(room: Room) -> None:
    at(room, 23, 55)
    ledger = room.ledger(seconds_per_day=400)
    booking = ledger.book_call("ada")
    assert lasts(booking) == 300 + 400
    assert lasts(ledger.book_call("ada")) == 100, "what is left of the first day"
    assert refusal(ledger).retry_after == timedelta(minutes=5)
    room.clock.advance(minutes=6)
    assert used(ledger) == (60, 340)
    assert refusal(ledger).code == "seconds_used_up", "the rest of today is reserved"
    ledger.settle_call(booking.reference)
    assert used(ledger) == (60, 0)
    assert lasts(ledger.book_call("ada")) == 340


def test_a_call_does_not_go_on_into_a_day_that_has_no_time_left(room: Room) -> None:
    at(room, 23, 50)
    ledger = room.ledger(seconds_per_day=900, call_length=timedelta(minutes=20))
    first = ledger.book_call("ada", lasts=timedelta(seconds=1000))
    assert lasts(first) == 1000
    assert lasts(ledger.book_call("ada")) == 300, "today's time ends before midnight"
    at(room, 23, 59, 55)
    ledger.settle_call(first.reference)
    room.clock.advance(seconds=10)
    assert lasts(ledger.book_call("ada")) == 900


def test_what_is_left_of_a_day_may_go_on_into_the_next(room: Room) -> None:
    at(room, 23, 59, 57)
    ledger = room.ledger(seconds_per_day=100)
    assert lasts(ledger.book_call("ada", lasts=timedelta(seconds=60))) == 60
    assert lasts(ledger.book_call("ada", lasts=timedelta(seconds=60), api=LIVE)) == 46


def test_a_minimum_over_midnight_counts_on_each_day(room: Room) -> None:
    at(room, 23, 59, 55)
    ledger = room.ledger(seconds_per_day=100)
    ledger.settle_call(ledger.book_call("ada", api=LIVE).reference)
    assert used(ledger) == (0, 5)
    room.clock.advance(seconds=5)
    assert used(ledger) == (0, 10)
    room.clock.advance(seconds=30)
    assert used(ledger) == (10, 0)


def test_a_held_call_takes_no_time_from_others_until_it_is_late(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=2000)
    booking = held_call(room, ledger, after=896)
    assert used(ledger) == (896, 4)
    room.clock.advance(seconds=4)
    ledger.settle_call(booking.reference)
    assert used(ledger) == (900, 0)


def test_a_call_that_goes_on_past_its_end_is_counted_on(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=2000)
    booking = held_call(room, ledger, after=900)
    room.clock.advance(seconds=60)
    assert used(ledger) == (960, 840)
    assert lasts(ledger.book_call("ada")) == 200
    ledger.settle_call(booking.reference)
    assert used(ledger) == (960, 200)


def test_a_held_call_that_nobody_settles_has_used_all_it_was_held_for(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=3000)
    held_call(room, ledger, after=900)
    room.clock.advance(hours=2)
    ledger.book_call("ada")
    assert used(ledger) == (1800, 900)


def test_a_call_that_is_held_late_is_counted_from_then_on(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=3000, call_length=timedelta(minutes=1))
    booking = ledger.book_call("ada")
    room.clock.advance(minutes=30)
    ledger.settle_call(ledger.book_call("ada").reference)
    ledger.hold_call(booking.reference, HELD)
    room.clock.advance(seconds=30)
    ledger.settle_call(booking.reference)
    assert used(ledger) == (90, 0)


def test_a_settlement_that_was_postponed_counts_no_more_than_the_call_could_use(
    room: Room,
) -> None:
    ledger = room.ledger(seconds_per_day=3000)
    booking = ledger.book_call("ada")
    room.clock.advance(seconds=10)
    room.table.unavailable = True
    ledger.settle_call(booking.reference)
    room.table.unavailable = False
    room.clock.advance(hours=1)
    ledger.book_call("bob")
    assert used(ledger) == (900, 0)


def test_a_key_counts_to_its_end_whatever_becomes_of_its_call(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1500)
    ledger.book_key("ada", "default", KEY_LIFE + CALL, shortest=KEY_LIFE)
    assert used(ledger) == (0, 915)
    registered = ledger.register_call("ada", "default", "rtc_1")
    ledger.settle_call(registered.reference)
    room.clock.advance(seconds=100)
    assert used(ledger) == (100, 815)
    second = ledger.book_key("ada", "default", KEY_LIFE + CALL, shortest=KEY_LIFE)
    assert lasts(second) == 585
    room.clock.advance(seconds=10)
    registered = ledger.register_call("ada", "default", "rtc_2")
    assert registered.ends_at == second.ends_at
    room.clock.advance(hours=1)
    assert used(ledger) == (1500, 0)
    with pytest.raises(Problem, match="seconds_used_up"):
        ledger.book_key("ada", "default", KEY_LIFE + CALL, shortest=KEY_LIFE)


def test_a_key_is_issued_only_if_a_call_may_follow(room: Room) -> None:
    shortest = KEY_LIFE + timedelta(seconds=10)
    for left, admitted in ((25, True), (24, False)):
        ledger = room.ledger(seconds_per_day=left)
        if not admitted:
            with pytest.raises(Problem, match="seconds_used_up"):
                ledger.book_key("eve", "default", KEY_LIFE + CALL, shortest=shortest)
        else:
            ledger.book_key("ada", "default", KEY_LIFE + CALL, shortest=shortest)


def test_a_key_that_lives_longer_counts_no_longer_than_the_time_that_is_left(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=1000, live_calls=5)
    key = ledger.book_key("ada", "default", KEY_LIFE + CALL)
    for _ in range(2):
        ledger.extend_key(key, key.started_at + timedelta(hours=2))
    assert used(ledger) == (0, 1000)
    room.clock.advance(seconds=990)
    call = ledger.register_call("ada", "default", "rtc_1")
    assert call.ends_at == room.clock.now + timedelta(seconds=10)


def test_a_keys_call_that_is_held_and_settled_late_is_counted(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=5000, call_length=timedelta(minutes=1))
    ledger.book_key("ada", "default", timedelta(seconds=75))
    reference = ledger.register_call("ada", "default", "rtc_1").reference
    room.clock.advance(seconds=74)
    ledger.hold_call(reference, HELD)
    room.clock.advance(seconds=26)
    ledger.settle_call(reference)
    assert used(ledger) == (100, 0)


def test_without_the_limit_no_time_is_kept(room: Room) -> None:
    ledger = room.ledger(live_calls=5, tokens_per_day=9)
    ledger.settle_call(ledger.book_call("ada", api=LIVE).reference)
    assert "time0" not in room.row("caller.ada").values


def test_calls_of_before_the_limit_are_counted_once_they_are_seen(room: Room) -> None:
    before = room.ledger(live_calls=5)
    early, late = before.book_call("ada"), before.book_call("ada")
    ledger = room.ledger(live_calls=5, seconds_per_day=2000)
    room.clock.advance(seconds=100)
    ledger.settle_call(early.reference)
    assert used(ledger) == (100, 0)
    assert lasts(ledger.book_call("ada")) == 900
    assert used(ledger) == (200, 1700)
    ledger.settle_call(late.reference)
    assert used(ledger) == (200, 900)


def test_a_call_that_an_earlier_release_settled_has_used_all_it_could(room: Room) -> None:
    """It does not write when a call ended, and keeps the columns that it does not know."""
    ledger = room.ledger(seconds_per_day=2000, live_calls=5)
    booking = ledger.book_call("ada")
    row = room.row("caller.ada")
    settled = str(row.values["held0"]).replace("true", "false")
    assert settled != row.values["held0"]
    room.table.replace(row.with_values({**row.values, "held0": settled}))
    room.clock.advance(minutes=5)
    assert lasts(ledger.book_call("ada")) == 900
    room.clock.advance(hours=1)
    ledger.settle_call(booking.reference)
    assert used(ledger) == (1800, 0)


def test_what_a_later_release_adds_to_the_time_is_kept(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=2000)
    ledger.book_call("ada")
    row = room.row("caller.ada")
    time = json.loads(str(row.values["time0"]))
    ((name, call),) = time["calls"].items()
    time |= {"calls": {name: [*call, "later"]}, "colour": "green"}
    room.table.replace(row.with_values({**row.values, "time0": json.dumps(time)}))
    ledger.book_call("ada")
    time = json.loads(str(room.row("caller.ada").values["time0"]))
    assert (time["colour"], time["calls"][name][-1]) == ("green", "later")
    assert used(ledger) == (0, 1800)


@pytest.mark.parametrize(
    "broken",
    ["[]", "{", '{"calls": []}', '{"days": {"x": -1}}', '{"calls": {"a": [1]}}', '{"calls": 7}'],
)
def test_time_that_cannot_be_read_costs_its_caller_alone(room: Room, broken: str) -> None:
    ledger = room.ledger(seconds_per_day=2000)
    ledger.book_call("ada")
    row = room.row("caller.ada")
    room.table.replace(row.with_values({**row.values, "time0": broken}))
    with pytest.raises(Problem, match="storage_unavailable"):
        ledger.book_call("ada")
    ledger.book_call("bob")


def test_a_day_of_calls_leaves_a_small_row_that_is_swept_the_next_day(room: Room) -> None:
    ledger = room.ledger(seconds_per_day=80_000)
    for _ in range(40):
        ledger.settle_call(ledger.book_call("ada", api=LIVE).reference)
        room.clock.advance(minutes=5)
    assert len(str(room.row("caller.ada").values)) < 1000
    assert used(ledger) == (600, 0)
    room.clock.advance(hours=1)
    assert ledger.sweep_rows() == 0, "what was used today still counts"
    room.clock.now = datetime(2026, 11, 21, 0, 20, tzinfo=UTC)
    assert ledger.sweep_rows() == 1
    assert lasts(ledger.book_call("ada")) == 900
