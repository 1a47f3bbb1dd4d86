"""What each limit means, on memory and on Azurite alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.config.settings import Limits
from shared.config.voice_api import LIVE
from shared.core.problems import Problem
from shared.limits.account import Account
from shared.limits.enforcement import TRIES_PER_START
from shared.limits.ledger_store import CallerUsage, Ledger
from tests.contract.ledger.conftest import Room


def refused(ledger: Ledger, caller: str = "ada") -> Problem:
    with pytest.raises(Problem) as problem:
        ledger.book_call(caller)
    return problem.value


def seconds(problem: Problem) -> float:
    assert problem.retry_after is not None
    return problem.retry_after.total_seconds()


def test_starts_are_limited_within_any_minute(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=3)
    for _ in range(3):
        ledger.settle_call(ledger.book_call("ada").reference)
        room.clock.advance(seconds=10)
    problem = refused(ledger)
    assert (problem.code, problem.status, seconds(problem)) == ("too_many_starts", 429, 30)
    ledger.book_call("bob")
    room.clock.advance(seconds=29)
    assert refused(ledger).code == "too_many_starts"
    room.clock.advance(seconds=1)
    ledger.book_call("ada")
    assert seconds(refused(ledger)) == 10


def test_live_calls_are_limited_and_settling_frees_one(room: Room) -> None:
    ledger = room.ledger(live_calls=2)
    first, _ = ledger.book_call("ada"), ledger.book_call("ada")
    problem = refused(ledger)
    assert (problem.code, problem.status, seconds(problem)) == ("too_many_live_calls", 429, 60)
    ledger.book_call("bob")
    ledger.settle_call(first.reference)
    ledger.settle_call(first.reference)
    ledger.book_call("ada")
    assert refused(ledger).code == "too_many_live_calls"


def test_a_call_past_its_end_no_longer_counts(room: Room) -> None:
    ledger = room.ledger(live_calls=1, live_calls_total=1, call_length=timedelta(minutes=15))
    booking = ledger.book_call("ada")
    assert booking.ends_at == room.clock.now + timedelta(minutes=15)
    room.clock.advance(minutes=14, seconds=50)
    assert seconds(refused(ledger)) == 10
    assert refused(ledger, "bob").code == "all_lines_busy"
    room.clock.advance(seconds=10)
    ledger.book_call("bob")
    ledger.settle_call(booking.reference)
    assert ledger.live_calls() == 1


def test_a_booking_may_last_as_long_as_it_needs(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    ledger.book_call("ada", lasts=timedelta(seconds=5))
    room.clock.advance(seconds=5)
    ledger.book_call("ada", lasts=timedelta(hours=1))
    room.clock.advance(minutes=59)
    assert refused(ledger).code == "too_many_live_calls"


def test_all_callers_together_are_limited(room: Room) -> None:
    ledger = room.ledger(live_calls_total=3)
    bookings = [ledger.book_call(name) for name in ("ada", "bob", "cyd")]
    problem = refused(ledger, "dee")
    assert (problem.code, problem.status, seconds(problem)) == ("all_lines_busy", 429, 60)
    ledger.settle_call(bookings[1].reference)
    ledger.settle_call(bookings[1].reference)
    assert ledger.live_calls() == 2
    ledger.book_call("dee")
    assert refused(ledger, "ada").code == "all_lines_busy"
    for left, booking in ((2, bookings[0]), (1, bookings[2])):
        ledger.settle_call(booking.reference)
        assert ledger.live_calls() == left


def test_tokens_are_limited_by_day_and_reported_as_totals(room: Room) -> None:
    ledger = room.ledger(tokens_per_day=1000)
    one, two = ledger.book_call("ada").reference, ledger.book_call("ada").reference
    assert ledger.count_tokens(one, 400).used_today == 400
    assert ledger.count_tokens(one, 400).used_today == 400
    assert ledger.count_tokens(one, 300).used_today == 400
    ledger.settle_call(one)
    assert not ledger.count_tokens(one, 500).used_up
    spent = ledger.count_tokens(two, 500)
    assert (spent.used_today, spent.limit, spent.used_up) == (1000, 1000, True)
    problem = refused(ledger)
    assert (problem.code, problem.status) == ("tokens_used_up", 429)
    assert seconds(problem) == timedelta(hours=11, minutes=30).total_seconds()
    ledger.book_call("bob")
    room.clock.now = datetime(2026, 11, 21, tzinfo=UTC)
    ledger.book_call("ada")
    assert ledger.usage_of("ada").tokens_today == 0


def test_a_call_over_midnight_counts_on_the_day_it_spends(room: Room) -> None:
    room.clock.now = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    ledger = room.ledger(tokens_per_day=1000)
    reference = ledger.book_call("ada").reference
    ledger.count_tokens(reference, 900)
    room.clock.advance(minutes=2)
    assert ledger.count_tokens(reference, 1100).used_today == 200


def test_tokens_reported_late_still_count_and_much_later_do_not(room: Room) -> None:
    ledger = room.ledger(tokens_per_day=1000, call_length=timedelta(minutes=15))
    reference = ledger.book_call("ada").reference
    room.clock.advance(minutes=24)
    ledger.book_call("ada")
    assert ledger.count_tokens(reference, 5).used_today == 5
    room.clock.advance(minutes=2)
    ledger.book_call("ada")
    assert ledger.count_tokens(reference, 10).used_today == 5


def test_a_call_that_upstream_refused_is_undone(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=1, live_calls=1, live_calls_total=1)
    for _ in range(3):
        booking = ledger.book_call("ada")
        ledger.undo_booking(booking)
        ledger.undo_booking(booking)
    assert ledger.usage_of("ada") == CallerUsage(0, 0, 0)
    assert ledger.live_calls() == 0


def test_a_call_settled_and_then_undone_is_freed_once(room: Room) -> None:
    ledger = room.ledger(live_calls=5, live_calls_total=5)
    first, _ = ledger.book_call("ada"), ledger.book_call("bob")
    ledger.settle_call(first.reference)
    ledger.undo_booking(first, keep_start=True)
    ledger.undo_booking(first)
    assert ledger.live_calls() == 1


def test_a_failure_the_caller_caused_still_counts_as_a_start(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=2, live_calls=1, live_calls_total=1)
    for _ in range(2):
        ledger.undo_booking(ledger.book_call("ada"), keep_start=True)
    assert ledger.usage_of("ada") == CallerUsage(0, 2, 0)
    assert ledger.live_calls() == 0
    assert refused(ledger).code == "too_many_starts"


def test_one_refusal_changes_nothing(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=5, live_calls=5, live_calls_total=1)
    ledger.book_call("ada")
    for _ in range(4):
        assert refused(ledger).code == "all_lines_busy"
    assert ledger.usage_of("ada") == CallerUsage(1, 1, 0)


def test_without_limits_storage_is_not_touched(room: Room) -> None:
    ledger = room.ledger()
    booking = ledger.book_call("ada")
    ledger.count_tokens(booking.reference, 10)
    ledger.settle_call(booking.reference)
    ledger.undo_booking(booking)
    assert room.table.calls == 0


def test_the_global_row_is_used_only_with_a_global_limit(room: Room) -> None:
    room.ledger(starts_per_minute=6, live_calls=2, tokens_per_day=9).book_call("ada")
    assert [entity.row for entity in room.table.query("live")] == ["caller.ada"]
    room.ledger(live_calls_total=2).book_call("ada")
    assert [entity.row for entity in room.table.query("live")] == ["caller.ada", "everyone"]


def test_the_global_row_is_not_used_for_realtime_calls_beside_limited_sessions(room: Room) -> None:
    ledger = room.ledger(live_sessions=2, seconds_per_day=900)
    ledger.settle_call(ledger.book_call("ada").reference)
    assert [entity.row for entity in room.table.query("live")] == ["caller.ada"]
    ledger.book_call("ada", api=LIVE)
    assert [entity.row for entity in room.table.query("live")] == ["caller.ada", "everyone"]


def test_a_call_booked_under_other_limits_is_settled(room: Room) -> None:
    before = room.ledger(live_calls_total=1)
    reference = before.book_call("ada").reference
    room.ledger(live_calls=1).settle_call(reference)
    assert before.live_calls() == 0


@pytest.mark.parametrize("reference", ["", "ada", ".x", "ada."])
def test_a_malformed_reference_is_an_error(room: Room, reference: str) -> None:
    with pytest.raises(ValueError, match="reference"):
        room.ledger(live_calls=1).settle_call(reference)


@pytest.mark.parametrize(
    "wrong",
    [
        {"starts_per_minute": -1},
        {"live_calls": 5001},
        {"tokens_per_day": -1},
        {"live_calls_total": -1},
        {"seconds_per_day": -1},
        {"live_sessions": -1},
        {"call_length": timedelta(seconds=-1)},
    ],
)
def test_limits_that_make_no_sense_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is 0"):
        Limits(**wrong)


def test_tries_that_fail_by_no_fault_of_the_callers_are_no_starts_but_bounded(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=3, live_calls=2, live_calls_total=2)
    for _ in range(3 * TRIES_PER_START):
        booking = ledger.book_call("ada")
        ledger.undo_booking(booking)
        ledger.undo_booking(booking)
    assert ledger.usage_of("ada") == CallerUsage(0, 0, 0)
    assert ledger.live_calls() == 0
    problem = refused(room.ledger(starts_per_minute=3))
    assert (problem.code, seconds(problem)) == ("too_many_starts", 60)
    ledger.book_call("bob")
    room.clock.advance(minutes=1, seconds=1)
    ledger.settle_call(ledger.book_call("ada").reference)
    kept = Account.from_values(room.row("caller.ada").values).bookings
    assert len(kept) == 1, "no try is kept for longer"
