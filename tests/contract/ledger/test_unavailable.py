"""The ledger fails closed while storage is unavailable, loses answers or is contended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from shared.core.exchange import TERMS
from shared.core.problems import Problem
from shared.limits import transactions
from shared.limits.ledger_store import CallerUsage
from shared.limits.limit_rules import BookCall, SettleCall
from shared.limits.transactions import PendingOperation
from shared.storage.interfaces import Conflict, Entity, Value, Write
from tests.contract.ledger.conftest import LimitsOf, Room
from tests.support.patience import PATIENCE

SHORTLY = timedelta(minutes=1)


def conflict(writes: Sequence[Write]) -> list[Entity]:
    raise Conflict(index=0)


def refused(work: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as problem:
        work()
    return problem.value


def test_no_call_is_admitted_while_storage_is_unavailable(room: Room) -> None:
    ledger = room.ledger(live_calls=2, tokens_per_day=100)
    reference = ledger.book_call("ada").reference
    room.table.unavailable = True
    uses: tuple[Callable[[], object], ...] = (
        lambda: ledger.book_call("ada"),
        lambda: ledger.count_tokens(reference, 10),
        lambda: ledger.usage_of("ada"),
        lambda: ledger.live_calls(),
    )
    for work in uses:
        problem = refused(work)
        assert (problem.code, problem.status) == ("storage_unavailable", 503)
        assert int(problem.headers["Retry-After"]) > 0
    room.table.unavailable = False
    ledger.book_call("ada")
    assert ledger.count_tokens(reference, 10).used_today == 10


def test_what_could_not_be_freed_is_freed_by_the_next_write(room: Room) -> None:
    ledger = room.ledger(live_calls=2, live_calls_total=3)
    settled, undone = ledger.book_call("ada"), ledger.book_call("ada")
    room.table.unavailable = True
    ledger.settle_call(settled.reference)
    ledger.undo_booking(undone)
    room.table.unavailable = False
    assert ledger.usage_of("ada").live_calls == 2
    ledger.book_call("bob")
    assert ledger.usage_of("ada").live_calls == 0
    assert ledger.live_calls() == 1


def test_a_postponed_operation_survives_a_conflict(room: Room) -> None:
    ledger = room.ledger(live_calls=2)
    booking = ledger.book_call("ada")
    room.table.unavailable = True
    ledger.settle_call(booking.reference)
    room.table.unavailable = False

    room.table.next_transact = conflict
    ledger.book_call("bob")
    assert ledger.usage_of("ada").live_calls == 0


def test_a_booking_whose_answer_was_lost_is_refused_and_undone(room: Room) -> None:
    ledger = room.ledger(live_calls=2, starts_per_minute=3, live_calls_total=5)
    room.table.lose_answers = True
    assert refused(lambda: ledger.book_call("ada")).code == "storage_unavailable"
    room.table.lose_answers = False
    assert ledger.usage_of("ada").live_calls == 1
    ledger.book_call("ada")
    assert ledger.usage_of("ada") == CallerUsage(1, 1, 0)
    assert ledger.live_calls() == 1


@pytest.mark.parametrize("limits", [{"live_calls": 2}, {"live_calls_total": 2}])
def test_a_booking_that_was_written_before_the_conflict_counts_once(
    room: Room, limits: LimitsOf
) -> None:
    ledger = room.ledger(**limits)

    def written_and_then_a_conflict(writes: Sequence[Write]) -> list[Entity]:
        room.table.write(writes)
        raise Conflict(index=0)

    room.table.next_transact = written_and_then_a_conflict
    ledger.book_call("ada")
    assert ledger.usage_of("ada") == CallerUsage(1, 1, 0)
    ledger.book_call("ada")
    assert refused(lambda: ledger.book_call("ada")).status == 429


def test_all_that_a_batch_asks_of_storage_has_one_deadline(room: Room) -> None:
    """The threads of the other operations wait for it."""
    left: list[timedelta] = []

    def written(writes: Sequence[Write]) -> list[Entity]:
        deadline = TERMS.get().deadline
        assert deadline is not None
        left.append(deadline.remaining)
        return room.table.write(writes)

    room.table.next_transact = written
    room.ledger(live_calls=2).book_call("ada")
    assert timedelta(0) < left[0] <= timedelta(seconds=10)
    assert TERMS.get().deadline is None


def test_a_settlement_whose_answer_was_lost_counts_once(room: Room) -> None:
    ledger = room.ledger(live_calls_total=5)
    first, _ = ledger.book_call("ada"), ledger.book_call("bob")
    room.table.lose_answers = True
    ledger.settle_call(first.reference)
    room.table.lose_answers = False
    ledger.settle_call(first.reference)
    ledger.book_call("cyd")
    assert ledger.live_calls() == 2


def test_a_crash_leaks_no_line(room: Room) -> None:
    room.ledger(live_calls=1, live_calls_total=1).book_call("ada")
    survivor = room.ledger(live_calls=1, live_calls_total=1)
    assert refused(lambda: survivor.book_call("ada")).status == 429
    room.clock.advance(minutes=15)
    survivor.book_call("ada")
    assert survivor.live_calls() == 1


def test_a_request_that_cannot_be_counted_in_time_is_told_to_retry(room: Room) -> None:
    ledger = room.ledger(budget=timedelta(seconds=1), live_calls=1)
    room.table.transact_hook = conflict
    problem = refused(lambda: ledger.book_call("ada"))
    assert (problem.code, problem.status) == ("ledger_busy", 503)
    assert int(problem.headers["Retry-After"]) > 0
    room.table.transact_hook = None
    ledger.book_call("ada")
    assert ledger.usage_of("ada").live_calls == 1


def test_a_booking_that_was_written_before_the_time_was_up_is_undone(room: Room) -> None:
    """Its answer is lost, what repeats it gets a conflict, and then it is too late."""
    ledger = room.ledger(budget=timedelta(seconds=0.2), live_calls=1, starts_per_minute=1)

    def written_late(writes: Sequence[Write]) -> list[Entity]:
        room.table.write(writes)
        time.sleep(0.3)
        raise Conflict(index=0)

    room.table.next_transact = written_late
    assert refused(lambda: ledger.book_call("ada")).code == "ledger_busy"
    ledger.transactions.budget = timedelta(seconds=10)
    ledger.book_call("ada")
    assert ledger.usage_of("ada") == CallerUsage(1, 1, 0)


ODD_ROWS: dict[str, dict[str, Value]] = {
    "no JSON": {"held0": "[["},
    "deep JSON": {"held0": "[" * 30_000},
    "no list": {"held0": "5"},
    "nothing": {"held0": "null"},
    "an object": {"held0": '{"a":1}'},
    "no bookings": {"held0": "[5]"},
    "empty bookings": {"held0": "[[]]"},
    "texts for times": {"held0": '[["a","b","c",true,0,0,0]]'},
    "no times": {"held0": '[["a",1]]'},
    "fractions": {"held0": '[["a",1.5,2.5,true,0,0,0]]'},
    "endless times": {"held0": '[["a",1,1e999,true,0,0,0]]'},
    "huge times": {"held0": '[["a",1,99999999999999999999,true,0,0,0]]'},
    "negative times": {"held0": '[["a",-1,-2,true,0,0,0]]'},
    "odd keys": {"held0": '[["a",1,2,true,0,0,1]]', "keys0": '{"a":5}'},
    "an odd end": {"held0": '[["a",1,2,true,0,0,1]]', "keys0": '{"a":{"own_end":"x"}}'},
    "keys that are a list": {"held0": '[["a",1,2,true,0,0,1]]', "keys0": "[1]"},
    "odd tokens": {"held0": "[]", "tokens": "many"},
    "a text for a layout": {"held0": "[]", "layout": "x"},
    "a later layout": {"held0": "[]", "layout": 2},
}


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_a_row_that_cannot_be_read_costs_its_caller_alone(room: Room, odd: str) -> None:
    ledger = room.ledger(live_calls=2, live_calls_total=9, tokens_per_day=9)
    settled = ledger.book_call("ada").reference.split(".")[1]
    room.table.insert(Entity("live", "caller.odd", ODD_ROWS[odd]))
    ledger.transactions.postpone("ada", SettleCall(settled))
    ledger.transactions.postpone("odd", SettleCall("a"))
    batch = [PendingOperation(who, BookCall(who, SHORTLY)) for who in ("bob", "odd", "cyd")]
    assert all(ledger.transactions.serve_batch(batch))
    assert [pending.refusal and pending.refusal.code for pending in batch] == [
        None,
        "storage_unavailable",
        None,
    ]
    assert [ledger.usage_of(who).live_calls for who in ("ada", "bob", "cyd")] == [0, 1, 1]
    assert ledger.live_calls() == 2
    assert refused(lambda: ledger.book_call("odd")).code == "storage_unavailable"
    assert ledger.sweep_rows() == 0
    assert room.row("caller.odd").values == ODD_ROWS[odd]
    assert len(ledger.transactions.postponed) == 1, "it is kept"


def test_what_is_given_back_in_a_row_of_a_later_release_is_kept(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "PUT_OFF", timedelta(0))
    ledger = room.ledger(live_calls=1)
    booking = ledger.book_call("ada")
    row = room.row("caller.ada")
    room.table.replace(row.with_values({**row.values, "layout": 2}))
    ledger.settle_call(booking.reference)
    for who in ("bob", "cyd"):
        ledger.book_call(who)
    assert len(ledger.transactions.postponed) == 1
    room.table.replace(room.row("caller.ada").with_values({**row.values, "layout": 1}))
    ledger.book_call("eve")
    assert ledger.usage_of("ada").live_calls == 0
    assert not ledger.transactions.postponed


def test_what_cannot_be_given_back_has_an_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "POSTPONED_FOR", timedelta(0))
    ledger = room.ledger(live_calls=1)
    room.table.insert(Entity("live", "caller.odd", ODD_ROWS["no JSON"]))
    ledger.transactions.postpone("odd", SettleCall("a"))
    ledger.book_call("bob")
    assert not ledger.transactions.postponed


def test_a_bug_loses_nothing_that_is_given_back(room: Room) -> None:
    ledger = room.ledger(live_calls=1)
    booking = ledger.book_call("ada")

    def broken(writes: Sequence[Write]) -> list[Entity]:
        room.table.write(writes)
        raise ZeroDivisionError

    room.table.next_transact = broken
    ledger.transactions.postpone("ada", SettleCall(booking.reference.split(".")[1]))
    with pytest.raises(ZeroDivisionError):
        ledger.book_call("bob")
    room.table.next_transact = broken
    ledger.settle_call(booking.reference)
    ledger.book_call("cyd")
    assert [ledger.usage_of(who).live_calls for who in ("ada", "bob", "cyd")] == [0, 0, 1]


def test_a_conflict_that_names_the_wrong_row_is_resolved(room: Room) -> None:
    ledger = room.ledger(live_calls=9)
    ledger.book_call("ada")
    before = room.row("caller.ada")
    room.ledger(live_calls=9).book_call("ada")

    def wrong_row(writes: Sequence[Write]) -> list[Entity]:
        try:
            return room.table.write(writes)
        except Conflict:
            rows = [write.entity.row for write in writes]
            raise Conflict(index=rows.index("caller.bob")) from None

    room.table.transact_hook = wrong_row
    stamps, minute = ledger.transactions.stamps, timedelta(minutes=1)
    batch = [
        PendingOperation("ada", BookCall("1", minute), read=(next(stamps), before)),
        PendingOperation("bob", BookCall("2", minute), read=(next(stamps), None)),
    ]
    tries = 1
    while not all(ledger.transactions.serve_batch(batch)):
        tries += 1
        assert tries < 9
    assert ledger.usage_of("ada").live_calls == 3
    assert ledger.usage_of("bob").live_calls == 1


def test_a_bug_in_one_batch_reaches_every_thread_and_blocks_nobody_later(room: Room) -> None:
    ledger = room.ledger(live_calls=9)

    def broken(writes: Sequence[Write]) -> list[Entity]:
        raise ZeroDivisionError

    room.table.transact_hook = broken
    caught = []

    def book(name: str) -> None:
        try:
            ledger.book_call(name)
        except ZeroDivisionError as error:
            caught.append(error)

    threads = [threading.Thread(target=book, args=(name,)) for name in ("ada", "ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(caught) == 3
    room.table.transact_hook = None
    ledger.book_call("ada")


def test_no_call_is_admitted_uncounted_while_storage_comes_and_goes_under_load(room: Room) -> None:
    ledgers = [room.ledger(live_calls_total=30) for _ in range(2)]
    booked: list[str] = []
    codes: list[str] = []
    ended = threading.Event()
    attempted = threading.Condition()

    def call(index: int) -> None:
        while not ended.is_set():
            try:
                outcome, into = ledgers[index % 2].book_call(f"caller{index}").reference, booked
            except Problem as problem:
                outcome, into = problem.code, codes
            with attempted:
                into.append(outcome)
                attempted.notify()
            if into is booked:
                return

    def wait_for_attempts(number: int) -> None:
        """Until so many more attempts have ended, or every caller is admitted."""
        with attempted:
            wanted = len(booked) + len(codes) + number
            assert attempted.wait_for(
                lambda: len(booked) + len(codes) >= wanted or len(booked) == 20, PATIENCE
            )

    threads = [threading.Thread(target=call, args=(index,)) for index in range(20)]
    room.table.unavailable = True
    for thread in threads:
        thread.start()
    for turn in range(8):
        room.table.unavailable = turn % 2 == 0
        room.table.lose_answers = turn % 4 == 1
        wait_for_attempts(5)
    room.table.unavailable = room.table.lose_answers = False
    for thread in threads:
        thread.join(20)
    ended.set()
    assert len(booked) == 20
    assert "storage_unavailable" in codes
    assert set(codes) <= {"storage_unavailable", "all_lines_busy", "ledger_busy"}
    # Each instance makes up for its lost answers with a later write.
    for ledger in ledgers * 6:
        ledger.undo_booking(ledger.book_call("last"))
    assert ledgers[0].live_calls() == 20
    for reference in booked:
        ledgers[0].settle_call(reference)
    assert ledgers[0].live_calls() == 0
