"""Both storages for the ledger and the leases, with a clock that tests turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from shared.config.settings import Limits
from shared.limits.ledger import Ledger
from shared.storage.azure import open_storage
from shared.storage.interfaces import Storage, StorageUnavailable
from shared.storage.memory import MemoryStorage
from tests.support.azurite import shared_azurite

NUMBERS = count(1)
LONG = timedelta(seconds=30)
"""More time than any test's crowd needs on a slow machine."""


@dataclass
class Clock:
    """The time, which passes when a test says so. Half past noon, to be far from midnight."""

    now: datetime = field(default=datetime(2026, 11, 20, 12, 30, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def turn(self, **span: float) -> None:
        self.now += timedelta(**span)


class Faulty:
    """A table that can be taken away, before a write or after it, and counts what it is asked."""

    def __init__(self, table) -> None:
        self.table = table
        self.away = False
        self.lose_answers = False
        self.calls = 0

    def __getattr__(self, name: str):
        call = getattr(self.table, name)

        def made(*args, **options):
            self.calls += 1
            if self.away:
                raise StorageUnavailable("taken away by the test")
            answer = call(*args, **options)
            if self.lose_answers and name in ("transact", "insert", "replace"):
                raise StorageUnavailable("the answer got lost")
            return answer

        return made


@dataclass
class Room:
    """A table and a clock; ledgers on them are instances of one broker."""

    table: Faulty
    clock: Clock = field(default_factory=Clock)

    def ledger(self, budget: timedelta = LONG, **limits) -> Ledger:
        given = {"starts_per_minute": 0, "live_calls": 0} | limits
        return Ledger(self.table, Limits(**given), budget=budget, clock=self.clock)


@pytest.fixture(scope="session")
def azurite_storage() -> Iterator[Storage]:
    storage = open_storage(shared_azurite().connection)
    yield storage
    storage.close()


@pytest.fixture(params=["memory", "azurite"])
def room(request: pytest.FixtureRequest) -> Room:
    azurite = request.param == "azurite"
    storage = request.getfixturevalue("azurite_storage") if azurite else MemoryStorage()
    return Room(Faulty(storage.table(f"ledger{next(NUMBERS)}")))
