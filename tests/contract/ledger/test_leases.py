"""Leases: one observer a call, another one if it dies."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from shared.core.problems import Problem
from shared.observer.leases import LeaseLost, Leases
from tests.contract.ledger.conftest import Room

CALL = "rtc_u1_abc"


def leases(room: Room) -> Leases:
    return Leases(room.table, timedelta(seconds=30), clock=room.clock)


def test_one_holder_at_a_time(room: Room):
    first = leases(room).acquire(CALL, "one")
    assert (first.holder, first.note, first.held_before) == ("one", "", None)
    assert first.until == room.clock.now + timedelta(seconds=30)
    assert leases(room).acquire(CALL, "two") is None
    assert leases(room).acquire("rtc_other", "two") is not None
    assert leases(room).holder(CALL).holder == "one"
    assert leases(room).holder("rtc_nobodys") is None


def test_who_asks_again_gets_what_it_has(room: Room):
    lease = leases(room).acquire(CALL, "one")
    assert leases(room).acquire(CALL, "one").etag == lease.etag


def test_a_lease_is_renewed_and_carries_a_note(room: Room):
    lease = leases(room).acquire(CALL, "one")
    room.clock.turn(seconds=20)
    lease = leases(room).renew(lease, note='{"at": 512}')
    lease = leases(room).renew(lease)
    room.clock.turn(seconds=20)
    held = leases(room).holder(CALL)
    assert (held.holder, held.note, held.until) == ("one", '{"at": 512}', lease.until)
    assert leases(room).acquire(CALL, "two") is None


def test_a_dead_holder_is_replaced_and_the_gap_is_known(room: Room):
    dead = leases(room).renew(leases(room).acquire(CALL, "one"), note="half way")
    room.clock.turn(seconds=30)
    assert leases(room).holder(CALL) is None
    taken = leases(room).acquire(CALL, "two")
    assert (taken.holder, taken.note, taken.held_before) == ("two", "half way", dead.until)
    with pytest.raises(LeaseLost):
        leases(room).renew(dead)
    leases(room).release(dead)
    assert leases(room).holder(CALL).holder == "two"


def test_a_lease_that_ran_out_is_still_renewed_if_nobody_took_it(room: Room):
    lease = leases(room).acquire(CALL, "one")
    room.clock.turn(seconds=31)
    leases(room).renew(lease)
    assert leases(room).acquire(CALL, "two") is None


def test_a_lease_given_back_is_free_at_once_and_leaves_no_gap(room: Room):
    lease = leases(room).renew(leases(room).acquire(CALL, "one"), note="done so far")
    leases(room).release(lease)
    assert leases(room).holder(CALL) is None
    following = leases(room).acquire(CALL, "two")
    assert (following.note, following.held_before) == ("done so far", None)


def test_a_lease_given_back_by_a_clock_that_is_ahead_is_free_too(room: Room):
    ahead = Leases(
        room.table, timedelta(seconds=30), clock=lambda: room.clock.now + timedelta(seconds=5)
    )
    ahead.release(ahead.acquire(CALL, "one"))
    assert leases(room).acquire(CALL, "two").holder == "two"


def test_of_many_that_reach_for_it_one_gets_it(room: Room):
    barrier = threading.Barrier(8)
    got: list = [None] * 8

    def reach(index: int) -> None:
        barrier.wait()
        got[index] = leases(room).acquire(CALL, f"run {index}")

    for _ in range(2):
        threads = [threading.Thread(target=reach, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(lease is not None for lease in got) == 1
        room.clock.turn(seconds=31)


def test_answers_that_get_lost_lose_no_lease(room: Room):
    room.table.lose_answers = True
    with pytest.raises(Problem, match="storage_unavailable"):
        leases(room).acquire(CALL, "one")
    room.table.lose_answers = False
    lease = leases(room).acquire(CALL, "one")
    room.table.lose_answers = True
    with pytest.raises(Problem, match="storage_unavailable"):
        leases(room).renew(lease)
    room.table.lose_answers = False
    assert leases(room).renew(lease, note="on").note == "on"


def test_storage_away_is_said_and_a_call_is_forgotten_for_good(room: Room):
    lease = leases(room).acquire(CALL, "one")
    room.table.away = True
    for work in (
        lambda: leases(room).acquire(CALL, "two"),
        lambda: leases(room).renew(lease),
        lambda: leases(room).release(lease),
        lambda: leases(room).holder(CALL),
        lambda: leases(room).forget(CALL),
    ):
        with pytest.raises(Problem) as problem:
            work()
        assert (problem.value.code, problem.value.status) == ("storage_unavailable", 503)
    room.table.away = False
    leases(room).forget(CALL)
    leases(room).forget(CALL)
    with pytest.raises(LeaseLost):
        leases(room).renew(lease)
    assert leases(room).acquire(CALL, "two").held_before is None


def test_a_note_has_bounds(room: Room):
    lease = leases(room).acquire(CALL, "one")
    with pytest.raises(ValueError, match="16,000"):
        leases(room).renew(lease, note="x" * 16_001)
