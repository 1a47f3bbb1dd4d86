"""Leases: one observer for each call, and another one if it dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.core.problems import Problem
from shared.observer.leases import ROW, Lease, LeaseLost, Leases
from tests.contract.ledger.conftest import Room
from tests.support.at_once import at_once

CALL = "rtc_u1_abc"


def leases(room: Room, ahead: timedelta = timedelta(0)) -> Leases:
    """The leases as seen by an instance whose clock is ahead by that much."""
    return Leases(room.table, timedelta(seconds=30), clock=lambda: room.clock.now + ahead)


def acquired(found: Lease | None) -> Lease:
    assert found is not None
    return found


def test_one_holder_at_a_time(room: Room) -> None:
    first = acquired(leases(room).acquire(CALL, "one"))
    assert (first.holder, first.note, first.held_before) == ("one", "", None)
    assert first.until == room.clock.now + timedelta(seconds=30)
    assert leases(room).acquire(CALL, "two") is None
    assert leases(room).acquire("rtc_other", "two") is not None
    assert acquired(leases(room).holder(CALL)).holder == "one"
    assert leases(room).holder("rtc_nobodys") is None


def test_a_holder_that_asks_again_gets_its_lease(room: Room) -> None:
    lease = acquired(leases(room).acquire(CALL, "one"))
    assert acquired(leases(room).acquire(CALL, "one")).etag == lease.etag


def test_a_lease_is_renewed_and_carries_a_note(room: Room) -> None:
    lease = acquired(leases(room).acquire(CALL, "one"))
    room.clock.advance(seconds=20)
    lease = leases(room).renew(lease, note='{"at": 512}')
    lease = leases(room).renew(lease)
    room.clock.advance(seconds=20)
    held = acquired(leases(room).holder(CALL))
    assert (held.holder, held.note, held.until) == ("one", '{"at": 512}', lease.until)
    assert leases(room).acquire(CALL, "two") is None


def test_a_dead_holder_is_replaced_and_the_gap_is_known(room: Room) -> None:
    dead = leases(room).renew(acquired(leases(room).acquire(CALL, "one")), note="half way")
    room.clock.advance(seconds=30)
    assert leases(room).holder(CALL) is None
    taken = acquired(leases(room).acquire(CALL, "two"))
    assert (taken.holder, taken.note, taken.held_before) == ("two", "half way", dead.until)
    with pytest.raises(LeaseLost):
        leases(room).renew(dead)
    leases(room).release(dead)
    assert acquired(leases(room).holder(CALL)).holder == "two"


def test_a_lease_that_ran_out_is_still_renewed_if_nobody_took_it(room: Room) -> None:
    lease = acquired(leases(room).acquire(CALL, "one"))
    room.clock.advance(seconds=31)
    leases(room).renew(lease)
    assert leases(room).acquire(CALL, "two") is None


def test_a_lease_given_back_is_free_at_once_and_leaves_no_gap(room: Room) -> None:
    lease = leases(room).renew(acquired(leases(room).acquire(CALL, "one")), note="done so far")
    leases(room).release(lease)
    assert leases(room).holder(CALL) is None
    following = acquired(leases(room).acquire(CALL, "two"))
    assert (following.note, following.held_before) == ("done so far", None)


def test_a_lease_given_back_by_a_clock_that_is_ahead_is_free_too(room: Room) -> None:
    ahead = leases(room, ahead=timedelta(seconds=5))
    ahead.release(acquired(ahead.acquire(CALL, "one")))
    assert acquired(leases(room).acquire(CALL, "two")).holder == "two"


def test_of_many_that_try_to_acquire_it_one_succeeds(room: Room) -> None:
    for _ in range(2):
        got = at_once(8, lambda index: leases(room).acquire(CALL, f"run {index}"))
        assert sum(lease is not None for lease in got) == 1
        room.clock.advance(seconds=31)


def test_lost_answers_lose_no_lease(room: Room) -> None:
    room.table.lose_answers = True
    with pytest.raises(Problem, match="storage_unavailable"):
        leases(room).acquire(CALL, "one")
    room.table.lose_answers = False
    lease = acquired(leases(room).acquire(CALL, "one"))
    room.table.lose_answers = True
    with pytest.raises(Problem, match="storage_unavailable"):
        leases(room).renew(lease)
    room.table.lose_answers = False
    assert leases(room).renew(lease, note="on").note == "on"


def test_unavailable_storage_is_a_problem_and_a_call_is_forgotten_for_good(room: Room) -> None:
    lease = acquired(leases(room).acquire(CALL, "one"))
    room.table.unavailable = True
    uses: tuple[Callable[[], object], ...] = (
        lambda: leases(room).acquire(CALL, "two"),
        lambda: leases(room).renew(lease),
        lambda: leases(room).release(lease),
        lambda: leases(room).holder(CALL),
        lambda: leases(room).forget(CALL),
    )
    for work in uses:
        with pytest.raises(Problem) as problem:
            work()
        assert (problem.value.code, problem.value.status) == ("storage_unavailable", 503)
    room.table.unavailable = False
    leases(room).forget(CALL)
    leases(room).forget(CALL)
    with pytest.raises(LeaseLost):
        leases(room).renew(lease)
    assert acquired(leases(room).acquire(CALL, "two")).held_before is None


def test_a_note_has_a_largest_size(room: Room) -> None:
    lease = acquired(leases(room).acquire(CALL, "one"))
    with pytest.raises(ValueError, match="16,000"):
        leases(room).renew(lease, note="x" * 16_001)


def test_an_offered_lease_goes_to_the_run_that_asks_for_it(room: Room) -> None:
    held = acquired(leases(room).acquire(CALL, "one"))
    assert not leases(room).claim(CALL, "two"), "it is not offered"
    held = leases(room).offer(held)
    assert acquired(leases(room).holder(CALL)).is_offered
    assert leases(room).acquire(CALL, "two") is None, "its holder still follows the call"
    assert not leases(room).hand_over(held, ""), "nobody has asked"
    assert leases(room).claim(CALL, "two")
    room.clock.advance(seconds=9)
    # The holder writes the row while it does not know of the heir.
    held = leases(room).renew(held, note="half way")
    assert held.heir == "two"
    assert leases(room).hand_over(held, "0123abcd")
    given = acquired(leases(room).latest(CALL))
    assert (given.holder, given.note, given.handled) == ("two", "half way", "0123abcd")
    assert (given.offered_by, given.heir, given.is_offered) == ("", "", False)
    assert given.until == room.clock.now + timedelta(seconds=30)
    assert given.held_before is None
    with pytest.raises(LeaseLost):
        leases(room).renew(held)
    assert not leases(room).hand_over(held, "")


def test_an_offer_ends_with_its_lease(room: Room) -> None:
    """An instance dies while it hands its calls over. What it offered is not the next holder's
    offer, whatever release that one is of."""
    leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    room.clock.advance(seconds=30)
    assert not leases(room).claim(CALL, "two")
    taken = acquired(leases(room).acquire(CALL, "three"))
    assert not acquired(leases(room).latest(CALL)).is_offered
    assert not leases(room).claim(CALL, "two")
    leases(room).release(taken)
    assert not acquired(leases(room).latest(CALL)).is_offered


def test_an_offer_that_an_older_release_has_kept_is_none(room: Room) -> None:
    """It takes the lease over and keeps the columns that it does not know."""
    leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    row = room.table.get(CALL, ROW)
    assert row is not None
    until = room.clock.now + timedelta(seconds=30)
    room.table.replace(replace(row, values={**row.values, "holder": "old", "until": until}))
    assert not acquired(leases(room).holder(CALL)).is_offered
    assert not leases(room).claim(CALL, "two")


def test_the_last_run_that_asks_is_the_heir(room: Room) -> None:
    held = leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    assert leases(room).claim(CALL, "two")
    assert leases(room).claim(CALL, "three")
    assert leases(room).hand_over(held, "")
    assert acquired(leases(room).latest(CALL)).holder == "three"


def test_nobody_may_ask_once_an_heir_is_accepted(room: Room) -> None:
    """It would have connected after the holder had stopped."""
    held = leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    assert leases(room).claim(CALL, "two")
    accepted = leases(room).accept(held)
    assert (accepted.holder, accepted.heir, accepted.is_offered) == ("one", "two", False)
    assert not leases(room).claim(CALL, "three")
    assert leases(room).hand_over(accepted, "")
    assert acquired(leases(room).latest(CALL)).holder == "two"


def test_of_runs_that_have_given_up_none_is_accepted(room: Room) -> None:
    held = leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    assert leases(room).claim(CALL, "two")
    leases(room).withdraw(CALL, "two")
    accepted = leases(room).accept(held)
    assert accepted.heir == ""
    assert leases(room).offer(accepted).is_offered


def test_a_run_that_gives_up_takes_its_claim_back(room: Room) -> None:
    held = leases(room).offer(acquired(leases(room).acquire(CALL, "one")))
    assert leases(room).claim(CALL, "two")
    leases(room).withdraw(CALL, "two")
    assert not leases(room).hand_over(held, ""), "its holder goes on"
    assert acquired(leases(room).holder(CALL)).is_offered
    assert leases(room).claim(CALL, "three")
    leases(room).withdraw(CALL, "two")
    assert leases(room).hand_over(held, "")
    assert acquired(leases(room).holder(CALL)).holder == "three"
    # It was given the lease at the very moment at which it gave up.
    leases(room).withdraw(CALL, "three")
    assert leases(room).holder(CALL) is None
    assert leases(room).acquire(CALL, "four") is not None
