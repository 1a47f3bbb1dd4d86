"""Whatever happens in whatever order, no day of a caller gets longer than the limit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.config.settings import SHORTEST_CALL
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking, Ledger
from shared.storage.memory import MemoryStorage
from tests.contract.ledger.conftest import Room
from tests.support.faulty_table import FaultyTable
from tests.support.ledger_reader import time_of

LIMIT = 700
LENGTH = timedelta(seconds=300)
KEY_LIFE = timedelta(seconds=15)
HELD = timedelta(minutes=15)
LEAST = timedelta(seconds=15)
START = datetime(2026, 11, 20, 23, 50, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [*["call", "live"] * 2, "key", *["settle"] * 4, "hold", "undo", *["wait"] * 4]
        ),
        st.integers(0, 40),
        st.integers(0, 1),
        st.sampled_from([*[""] * 10, "away", "lost"]),
    ),
    min_size=8,
    max_size=80,
)
"""What happens, to which call or for how long, at which instance, and whether storage is away or
its answer is lost meanwhile."""


@dataclass
class Run:
    """A call as it runs upstream: from its booking until it is hung up, or until its end."""

    booking: Booking
    api: VoiceApi
    ended_at: datetime | None = None
    undone: bool = False
    held: bool = False

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From when to when it has run. A key's calls may run to the key's end, unseen."""
        end = self.booking.ends_at
        if not self.booking.is_key:
            end = min(end, self.ended_at or end)
        if self.api == LIVE:
            end = max(end, self.booking.started_at + LEAST)
        return self.booking.started_at, min(end, now)


def seconds_by_day(runs: list[Run], now: datetime) -> Counter[str]:
    found: Counter[str] = Counter()
    for run in runs:
        if run.undone:
            continue
        start, end = run.span(now)
        while start < end:
            midnight = (start + timedelta(days=1)).replace(hour=0, minute=0, second=0)
            stop = min(end, midnight)
            found[f"{start:%Y-%m-%d}"] += int((stop - start).total_seconds())
            start = stop
    return found


@settings(deadline=None, max_examples=300)
@given(STEPS)
def test_no_day_gets_longer_than_the_limit(steps: list[tuple[str, int, int, str]]) -> None:
    room = Room(FaultyTable(MemoryStorage().table("ledger")))
    room.clock.now = START
    instances = [
        room.ledger(seconds_per_day=LIMIT, call_length=LENGTH, live_sessions=3) for _ in range(2)
    ]
    runs: list[Run] = []
    for step, number, instance, trouble in steps:
        ledger = instances[instance]
        room.table.unavailable, room.table.lose_answers = trouble == "away", trouble == "lost"
        if step == "wait":
            room.clock.advance(seconds=number * 5)
        elif step in ("call", "live", "key"):
            book(ledger, step, runs)
        elif runs:
            act(ledger, step, runs[number % len(runs)], room)
        days = seconds_by_day(runs, room.clock.now + timedelta(days=1))
        assert all(seconds <= LIMIT for seconds in days.values()), days

    room.table.unavailable = room.table.lose_answers = False
    # Postponed operations are carried by later writes, ten at a time.
    for ledger in instances * 12:
        ledger.settle_call("nobody.000000000000")
    now = room.clock.now
    ran = seconds_by_day(runs, now)[f"{now:%Y-%m-%d}"]
    counted = time_of(instances[0], "ada")
    assert counted.used.total_seconds() >= ran, "nothing that ran is forgotten"
    if not any(run.held for run in runs):
        assert (counted.used + counted.reserved).total_seconds() <= LIMIT


def book(ledger: Ledger, step: str, runs: list[Run]) -> None:
    api = LIVE if step == "live" else REALTIME
    try:
        if step == "key":
            booking = ledger.book_key(
                "ada", "p", KEY_LIFE + LENGTH, shortest=KEY_LIFE + SHORTEST_CALL
            )
        else:
            booking = ledger.book_call("ada", api=api)
    except Problem:
        return
    assert booking.ends_at - booking.started_at >= (LEAST if api == LIVE else SHORTEST_CALL)
    runs.append(Run(booking, api))


def act(ledger: Ledger, step: str, run: Run, room: Room) -> None:
    """Settles a call at once, or at its end at the latest, as the broker hangs up then."""
    now = room.clock.now
    if run.undone or (run.ended_at and step != "settle"):
        return
    if step == "undo" and now < run.booking.ends_at:
        ledger.undo_booking(run.booking)
        run.undone = True
    elif step == "settle":
        ledger.settle_call(run.booking.reference)
        run.ended_at = run.ended_at or min(now, run.booking.ends_at)
    elif step == "hold" and now < run.booking.ends_at:
        ledger.hold_call(run.booking.reference, HELD)
        run.held = True
