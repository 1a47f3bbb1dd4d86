"""Ephemeral keys of pages: what they count, and the one call that each registers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.core.problems import Problem
from shared.limits.account import UNCOUNTED_KEYS
from shared.limits.enforcement import FEWEST_TRIES
from shared.limits.ledger_store import Ledger
from tests.contract.ledger.conftest import Room
from tests.contract.ledger.test_limits import refused

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


def test_a_key_that_could_not_be_minted_is_a_try_and_no_key(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=1)
    for _ in range(FEWEST_TRIES):
        ledger.undo_booking(ledger.book_key("ada", "default", KEY))
    assert refused(ledger).code == "too_many_starts"
    with pytest.raises(Problem, match="registration_refused"):
        ledger.register_call("ada", "default", "rtc_1")
