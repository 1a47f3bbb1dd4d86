"""The line of a call that another one continues, on memory and on Azurite alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.config.voice_api import LIVE
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking, Ledger
from tests.contract.ledger.conftest import Room
from tests.contract.ledger.test_limits import refused


def continued(ledger: Ledger, *before: Booking, caller: str = "ada") -> Booking:
    return ledger.book_call(caller, takes_over=[each.reference for each in before])


def test_the_line_passes_on_and_is_one_line_still(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    first = ledger.book_call("ada")
    second = continued(ledger, first)
    assert refused(ledger).code == "too_many_live_calls"
    assert ledger.usage_of("ada").live_calls == 1
    ledger.settle_call(first.reference)
    assert refused(ledger).code == "too_many_live_calls"
    third = continued(ledger, second, first)
    ledger.settle_call(second.reference)
    ledger.settle_call(third.reference)
    assert ledger.usage_of("ada").live_calls == 0


def test_two_calls_cannot_take_over_one_line(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    first = ledger.book_call("ada")
    continued(ledger, first)
    with pytest.raises(Problem) as problem:
        continued(ledger, first)
    assert problem.value.code == "too_many_live_calls"


def test_a_continuation_that_came_to_nothing_gives_the_line_back(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    first = ledger.book_call("ada")
    ledger.undo_booking(continued(ledger, first))
    assert ledger.usage_of("ada").live_calls == 1
    assert refused(ledger).code == "too_many_live_calls"
    continued(ledger, first)


def test_a_call_that_cannot_be_ended_counts_again(room: Room) -> None:
    ledger = room.ledger(live_calls=2)
    first = ledger.book_call("ada")
    continued(ledger, first)
    room.clock.advance(seconds=61)
    assert refused(ledger).code == "too_many_live_calls"


def test_another_callers_line_is_not_taken(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    first = ledger.book_call("bob")
    continued(ledger, first)
    assert refused(ledger, "bob").code == "too_many_live_calls"
    assert refused(ledger).code == "too_many_live_calls"


def test_where_all_lines_are_taken_a_conversation_goes_on(room: Room) -> None:
    ledger = room.ledger(live_calls_total=2)
    first, _ = ledger.book_call("ada"), ledger.book_call("bob")
    assert refused(ledger).code == "all_lines_busy"
    continued(ledger, first)
    assert refused(ledger).code == "all_lines_busy"
    ledger.settle_call(first.reference)
    assert refused(ledger).code == "all_lines_busy"


def test_a_sessions_place_passes_on(room: Room) -> None:
    ledger = room.ledger(live_sessions=1)
    first = ledger.book_call("ada", api=LIVE)
    ledger.book_call("ada", api=LIVE, takes_over=[first.reference])
    ledger.settle_call(first.reference)
    with pytest.raises(Problem) as problem:
        ledger.book_call("ada", api=LIVE)
    assert problem.value.code == "live_sessions_busy"


def test_the_days_time_that_is_left_is_the_conversations(room: Room) -> None:
    """The call that is continued has reserved all of it, and gives back what it will not use."""
    ledger = room.ledger(seconds_per_day=600, call_length=timedelta(minutes=10))
    first = ledger.book_call("ada")
    room.clock.advance(seconds=100)
    second = continued(ledger, first)
    assert second.ends_at == room.clock.now + timedelta(seconds=470)
    assert refused(ledger).code == "seconds_used_up"
    ledger.settle_call(first.reference)
    room.clock.advance(seconds=200)
    ledger.settle_call(second.reference)
    assert ledger.book_call("ada").ends_at == room.clock.now + timedelta(seconds=300)


def test_a_start_is_a_start(room: Room) -> None:
    ledger = room.ledger(starts_per_minute=2)
    first = ledger.book_call("ada")
    continued(ledger, first)
    assert refused(ledger).code == "too_many_starts"


def test_a_keys_line_is_not_taken(room: Room) -> None:
    """The same key may have started calls that nobody reported: it counts to its own end."""
    ledger = room.ledger(live_calls=1)
    lasts = timedelta(minutes=16)
    ledger.book_key("ada", "default", lasts, shortest=timedelta(minutes=2))
    registered = ledger.register_call("ada", "default", "rtc_1")
    with pytest.raises(Problem) as problem:
        continued(ledger, registered)
    assert problem.value.code == "too_many_live_calls"
