"""Limits are exact when two instances book for a crowd at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.config.settings import Limits
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import Storage
from tests.contract.ledger.conftest import NUMBERS
from tests.support.azurite import shared_azurite

ROOT = Path(__file__).resolve().parents[3]


class Crowd:
    """Two processes on one Azurite that start at the same moment."""

    def __init__(self, storage: Storage, **limits: Any) -> None:
        self.table = f"crowd{next(NUMBERS)}"
        self.limits: dict[str, Any] = {"starts_per_minute": 0, "live_calls": 0} | limits
        self.ledger = Ledger(storage.table(self.table), Limits(**self.limits))

    def run(
        self, *callers: list[str], threads: int = 100, fails: int = 0, settles: bool = False
    ) -> tuple[Counter[str], list[str]]:
        """Books for each list in a process of its own; returns the outcomes and the bookings."""
        task: dict[str, Any] = {"connection": shared_azurite().connection, "table": self.table}
        task |= {"limits": self.limits, "threads": threads, "fails": fails, "settles": settles}
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
