"""Limits are exact when two instances book for a crowd at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.config.settings import Limits
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.clock import unix_milliseconds, utc_now
from shared.limits.ledger_store import Ledger
from shared.limits.times import until_utc_midnight
from shared.storage.interfaces import Storage
from tests.contract.ledger.conftest import NUMBERS
from tests.support.azurite import shared_azurite
from tests.support.ledger_reader import live_sessions, time_of

ROOT = Path(__file__).resolve().parents[3]


class Crowd:
    """Two processes on one Azurite that start at the same moment."""

    def __init__(self, storage: Storage, **limits: Any) -> None:
        self.table = f"crowd{next(NUMBERS)}"
        self.limits: dict[str, Any] = {"starts_per_minute": 0, "live_calls": 0} | limits
        self.ledger = Ledger(storage.table(self.table), Limits(**self.limits))

    def run(
        self,
        *callers: list[str],
        threads: int = 100,
        fails: int = 0,
        settles: bool = False,
        api: VoiceApi = REALTIME,
    ) -> tuple[Counter[str], list[str]]:
        """Books for each list in a process of its own; returns the outcomes and the bookings."""
        task: dict[str, Any] = {"connection": shared_azurite().connection, "table": self.table}
        task |= {"limits": self.limits, "threads": threads, "fails": fails, "settles": settles}
        task["api"] = api
        children = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.contract.ledger.crowd"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in callers
        ]
        try:
            for child, share in zip(children, callers, strict=True):
                assert child.stdin is not None
                child.stdin.write(json.dumps(task | {"callers": share}) + "\n")
                child.stdin.flush()
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
            printed = [child.communicate("go\n", timeout=60)[0] for child in children]
        finally:
            for child in children:
                child.kill()
                child.communicate()
        answers = [json.loads(text) for text in printed]
        outcomes = sum((Counter(answer["outcomes"]) for answer in answers), Counter[str]())
        return outcomes, [name for answer in answers for name in answer["references"]]


@pytest.mark.parametrize("time", range(2))
def test_of_200_requests_of_one_caller_exactly_the_limit_is_admitted(
    azurite_storage: Storage, time: int
) -> None:
    crowd = Crowd(azurite_storage, live_calls=20)
    outcomes, booked = crowd.run(["ada"] * 100, ["ada"] * 100)
    assert outcomes == {"booked": 20, "too_many_live_calls": 180}
    assert crowd.ledger.usage_of("ada").live_calls == 20
    for reference in booked:
        crowd.ledger.settle_call(reference)
    assert crowd.ledger.usage_of("ada").live_calls == 0


@pytest.mark.parametrize("time", range(2))
def test_of_200_callers_exactly_the_global_limit_is_admitted(
    azurite_storage: Storage, time: int
) -> None:
    crowd = Crowd(azurite_storage, live_calls=2, live_calls_total=20)
    callers = [f"caller{number}" for number in range(200)]
    outcomes, booked = crowd.run(callers[:100], callers[100:])
    assert outcomes == {"booked": 20, "all_lines_busy": 180}
    assert crowd.ledger.live_calls() == 20
    for reference in booked:
        crowd.ledger.settle_call(reference)
    assert crowd.ledger.live_calls() == 0


def test_after_a_thousand_starts_the_counts_are_right(azurite_storage: Storage) -> None:
    crowd = Crowd(azurite_storage, live_calls=5000, live_calls_total=5000)
    callers = [f"caller{number % 7}" for number in range(1000)]
    outcomes, booked = crowd.run(callers[:500], callers[500:], threads=25, fails=10, settles=True)
    assert outcomes["failed upstream"] == 100
    assert outcomes["booked"] + outcomes["settled"] == 900
    held = Counter(reference.split(".")[0] for reference in booked)
    for caller in set(callers):
        assert crowd.ledger.usage_of(caller).live_calls == held[caller]
    assert crowd.ledger.live_calls() == len(booked) == outcomes["booked"]


def test_of_200_requests_of_one_caller_as_many_are_admitted_as_fit_into_the_day(
    azurite_storage: Storage,
) -> None:
    now = unix_milliseconds(utc_now())
    if until_utc_midnight(now) < timedelta(minutes=16):
        pytest.skip("the day is about to end, and the next one has time of its own")
    crowd = Crowd(azurite_storage, seconds_per_day=3 * 900 + 400)
    outcomes, booked = crowd.run(["ada"] * 100, ["ada"] * 100)
    assert outcomes == {"booked": 4, "seconds_used_up": 196}
    time = time_of(crowd.ledger, "ada")
    assert (time.used + time.reserved).total_seconds() <= 3 * 900 + 400
    for reference in booked:
        crowd.ledger.settle_call(reference)
    assert time_of(crowd.ledger, "ada").reserved.total_seconds() == 0


def test_of_200_callers_as_many_get_a_session_as_the_provider_allows(
    azurite_storage: Storage,
) -> None:
    crowd = Crowd(azurite_storage, live_sessions=10)
    callers = [f"caller{number}" for number in range(200)]
    outcomes, booked = crowd.run(callers[:100], callers[100:], api=LIVE)
    assert outcomes == {"booked": 10, "live_sessions_busy": 190}
    assert live_sessions(crowd.ledger) == 10
    for reference in booked:
        crowd.ledger.settle_call(reference)
    assert live_sessions(crowd.ledger) == 0
