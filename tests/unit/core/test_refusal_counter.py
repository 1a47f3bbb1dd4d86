"""Refusals are counted in the process and written together; none is lost, no storage is flooded."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from datetime import timedelta
from pathlib import Path

import pytest

from shared.core import refusal_counter
from shared.core.refusal_counter import Counts, RefusalCounter
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
NEVER = timedelta(days=1)


class Written:
    """Takes what is written, or refuses it while it is away."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, Counts]] = []
        self.is_away = False
        self.news = threading.Event()

    def __call__(self, day: str, counts: Counts) -> bool:
        if not self.is_away:
            self.writes.append((day, counts))
        self.news.set()
        return not self.is_away


def test_many_refusals_are_one_write() -> None:
    written, clock = Written(), Clock()
    counter = RefusalCounter(written, clock, NEVER)

    def count(_: int) -> None:
        for _ in range(100):
            counter.count("connect", "too_many_starts")

    at_once(8, count)
    counter.count("token", "sign_in_required")
    counter.write_counts()
    counter.write_counts()
    counts = {("connect", "too_many_starts"): 800, ("token", "sign_in_required"): 1}
    assert written.writes == [("20261120", counts)]


def test_a_thread_that_cannot_be_had_costs_no_response(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written()
    counter = RefusalCounter(written, Clock(), timedelta(milliseconds=1))

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Timer, "start", none_left)
        counter.count("connect", "too_many_starts")
    counter.count("connect", "too_many_starts")
    assert written.news.wait(10)
    assert written.writes == [("20261120", {("connect", "too_many_starts"): 2})]


def test_they_are_written_by_themselves_soon() -> None:
    written = Written()
    counter = RefusalCounter(written, Clock(), timedelta(milliseconds=1))
    counter.count("connect", "too_many_starts")
    assert written.news.wait(PATIENCE)
    assert len(written.writes) == 1


def test_what_storage_did_not_take_is_written_later_with_what_came_since() -> None:
    written, clock = Written(), Clock()
    counter = RefusalCounter(written, clock, NEVER)
    written.is_away = True
    counter.count("connect", "too_many_starts")
    counter.write_counts()
    clock.advance(days=1)
    counter.count("connect", "too_many_starts")
    written.is_away = False
    counter.write_counts()
    assert sorted(written.writes) == [
        ("20261120", {("connect", "too_many_starts"): 1}),
        ("20261121", {("connect", "too_many_starts"): 1}),
    ]
    assert set(counter.days) == {"20261121"}, "a day that is written is forgotten"


def test_sums_of_a_day_go_on_after_a_write() -> None:
    written = Written()
    counter = RefusalCounter(written, Clock(), NEVER)
    for _ in range(2):
        counter.count("connect", "too_many_starts")
        counter.write_counts()
    assert [dict(counts) for _, counts in written.writes] == [
        {("connect", "too_many_starts"): number} for number in (1, 2)
    ]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_counter, "NAMES_AT_MOST", 3)
    written, clock = Written(), Clock()
    written.is_away = True
    counter = RefusalCounter(written, clock, NEVER)
    for day in range(10):
        for number in range(10):
            counter.count("connect", f"code_{day}_{number}")
        clock.advance(days=1)
        counter.write_counts()
    assert len(counter.days) == refusal_counter.DAYS_AT_MOST
    assert all(len(counts) == 3 for counts in counter.days.values())


def test_a_counter_that_nobody_has_is_not_kept_by_its_timer() -> None:
    counter = RefusalCounter(Written(), Clock(), NEVER)
    counter.count("connect", "too_many_starts")
    gone = weakref.ref(counter)
    del counter
    gc.collect()
    assert gone() is None


STOPPED = """
import os, signal, sys
from shared.core.at_exit import run_at_exit
run_at_exit(lambda: print("written", flush=True))
{way}
"""


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("sys.exit(0)", 0),
        ("from realtime_emulator.serving.server import finish; finish(3)", 3),
    ],
    ids=["SIGTERM", "exit", "our own host"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_a_process_that_is_told_to_stop_writes_first(way: str, code: int) -> None:
    script = STOPPED.format(way=way)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("written\n", code)
