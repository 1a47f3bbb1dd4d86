"""What each limit means, on memory and on Azurite alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.config.settings import Limits
from shared.core.clock import unix_milliseconds
from shared.core.problems import Problem
from shared.limits.account import (
    EXACT_ENDS,
    UNCOUNTED_KEYS,
    UNUSED_KEY,
    Account,
    BookedCall,
    GlobalCount,
)
from shared.limits.ledger_store import CallerUsage, Ledger
from shared.limits.limit_rules import FEWEST_TRIES, TRIES_PER_START
from shared.storage.interfaces import Entity, Write, WriteRefused
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


def test_a_call_booked_under_other_limits_is_settled(room: Room) -> None:
    before = room.ledger(live_calls_total=1)
    reference = before.book_call("ada").reference
    room.ledger(live_calls=1).settle_call(reference)
    assert before.live_calls() == 0


def test_a_day_of_calls_leaves_a_small_row(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=6, live_calls=2, tokens_per_day=10**6)
    for number in range(40):
        reference = ledger.book_call("ada").reference
        ledger.count_tokens(reference, number)
        ledger.settle_call(reference)
        room.clock.advance(minutes=5)
    (row,) = room.table.query("live")
    assert len(str(row.values)) < 1000


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
    assert len(total.ends) <= EXACT_ENDS + 300
    assert all(0 <= at - end <= 4_000 for end, at in counted.items())
    assert total.live_calls(now) == len(counted)
    for at in counted.values():
        total.remove_call(at)
    assert total.live_calls(now) == 0


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
        {"call_length": timedelta(seconds=-1)},
    ],
)
def test_limits_that_make_no_sense_are_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is 0"):
        Limits(**wrong)


KEY = timedelta(minutes=16)


def registration_refused(ledger: Ledger, caller: str, profile: str, call: str) -> bool:
    with pytest.raises(Problem) as problem:
        ledger.register_call(caller, profile, call)
    return problem.value.code == "registration_refused"


def test_a_key_counts_until_the_longest_call_it_could_start_is_over(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    ledger.book_key("ada", "default", KEY)
    assert refused(ledger).code == "too_many_live_calls"
    registered = ledger.register_call("ada", "default", "rtc_1")
    assert ledger.usage_of("ada").live_calls == 1, "the call is the key's"
    ledger.settle_call(registered.reference)
    assert refused(ledger).code == "too_many_live_calls", "it may have started others, unseen"
    room.clock.advance(minutes=16)
    ledger.book_call("ada")


def test_a_key_is_good_for_one_call(room: Room) -> None:
    ledger = room.ledger(live_calls=3)
    ledger.book_key("ada", "default", KEY)
    first = ledger.register_call("ada", "default", "rtc_1")
    assert registration_refused(ledger, "ada", "default", "rtc_2")
    assert ledger.register_call("ada", "default", "rtc_1").reference == first.reference
    assert ledger.usage_of("ada").live_calls == 1


@pytest.mark.parametrize("live_calls", [0, 2])
def test_a_call_is_registered_with_a_key_of_its_caller_and_profile(
    room: Room, live_calls: int
) -> None:
    ledger = room.ledger(live_calls=live_calls)
    assert registration_refused(ledger, "ada", "default", "rtc_1")
    key = ledger.book_key("ada", "sales", KEY)
    assert registration_refused(ledger, "bob", "sales", "rtc_1")
    assert registration_refused(ledger, "ada", "default", "rtc_1")
    assert ledger.register_call("ada", "sales", "rtc_1").reference == key.reference


@pytest.mark.parametrize("live_calls", [0, 1])
def test_a_key_that_was_not_minted_registers_nothing(room: Room, live_calls: int) -> None:
    ledger = room.ledger(live_calls=live_calls)
    ledger.undo_booking(ledger.book_key("ada", "default", KEY))
    assert registration_refused(ledger, "ada", "default", "rtc_1")


def test_a_key_whose_call_was_another_callers_is_unused_again(room: Room) -> None:
    ledger = room.ledger()
    ledger.book_key("ada", "default", KEY)
    taken = ledger.register_call("ada", "default", "rtc_of_bob")
    ledger.return_key(taken, "rtc_else")
    assert registration_refused(ledger, "ada", "default", "rtc_1")
    ledger.return_key(taken, "rtc_of_bob")
    ledger.return_key(taken, "rtc_of_bob")
    assert ledger.register_call("ada", "default", "rtc_1").reference == taken.reference
    assert registration_refused(ledger, "ada", "default", "rtc_of_bob")


def test_a_registered_call_ends_no_later_than_its_key_counts(room: Room) -> None:
    ledger = room.ledger(live_calls=1, call_length=timedelta(minutes=15))
    key = ledger.book_key("ada", "default", KEY)
    room.clock.advance(minutes=10)
    assert ledger.register_call("ada", "default", "rtc_1").ends_at == key.ends_at
    room.clock.advance(minutes=6)
    ledger.book_key("ada", "default", KEY)
    registered = ledger.register_call("ada", "default", "rtc_2")
    assert registered.ends_at == room.clock.now + timedelta(minutes=15)


def test_a_key_past_its_booking_registers_nothing(room: Room) -> None:
    ledger = room.ledger()
    ledger.book_key("ada", "default", KEY)
    room.clock.advance(minutes=16)
    assert registration_refused(ledger, "ada", "default", "rtc_1")


def test_a_lost_answer_does_not_cost_the_key(room: Room) -> None:
    ledger = room.ledger()
    key = ledger.book_key("ada", "default", KEY)
    room.table.lose_answers = True
    with pytest.raises(Problem, match="storage_unavailable"):
        ledger.register_call("ada", "default", "rtc_1")
    room.table.lose_answers = False
    assert ledger.register_call("ada", "default", "rtc_1").reference == key.reference


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


def test_without_limits_the_newest_keys_of_a_caller_are_known(room: Room) -> None:
    ledger = room.ledger()
    for number in range(UNCOUNTED_KEYS + 2):
        ledger.book_key("ada", f"profile-{number}", KEY)
    assert registration_refused(ledger, "ada", "profile-0", "rtc_1")
    for number in (2, UNCOUNTED_KEYS + 1):
        ledger.register_call("ada", f"profile-{number}", f"rtc_{number}")
    (row,) = room.table.query("live")
    assert len(str(row.values)) < 20_000


def test_a_registered_call_spends_on_its_keys_booking(room: Room) -> None:
    ledger = room.ledger(tokens_per_day=100)
    ledger.book_key("ada", "default", KEY)
    registered = ledger.register_call("ada", "default", "rtc_1")
    assert not ledger.count_tokens(registered.reference, 99).used_up
    assert ledger.count_tokens(registered.reference, 100).used_up


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


def test_a_key_that_could_not_be_minted_is_a_try_and_no_key(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=1)
    for _ in range(FEWEST_TRIES):
        ledger.undo_booking(ledger.book_key("ada", "default", KEY))
    assert refused(ledger).code == "too_many_starts"
    with pytest.raises(Problem, match="registration_refused"):
        ledger.register_call("ada", "default", "rtc_1")


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
