"""Both storages for the ledger and the leases, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

import pytest

from shared.config.settings import Limits
from shared.limits.ledger import Ledger
from shared.storage.azure import open_storage
from shared.storage.interfaces import Entity, Storage, StorageUnavailable, Table, Write
from shared.storage.memory import MemoryStorage
from tests.support.azurite import shared_azurite

Transact = Callable[[Sequence[Write]], list[Entity]]
NUMBERS = count(1)
LONG = timedelta(seconds=30)
"""More time than any test needs on a slow machine."""


@dataclass
class Clock:
    """A clock that only tests move on. It starts at half past noon, far from midnight."""

    now: datetime = field(default=datetime(2026, 11, 20, 12, 30, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


class FaultyTable:
    """A table that can become unavailable, before a write or after it, and counts its calls.

    `next_transact` stands in for the next transaction alone, `transact_hook` for every one.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.unavailable = False
        self.lose_answers = False
        self.calls = 0
        self.transact_hook: Transact | None = None
        self.next_transact: Transact | None = None

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.table, name)

        def made(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.unavailable:
                raise StorageUnavailable("made unavailable by the test")
            answer = call(*args, **options)
            if self.lose_answers and name in ("transact", "insert", "replace"):
                raise StorageUnavailable("the answer was lost")
            return answer

        return made

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        hook, self.next_transact = self.next_transact or self.transact_hook, None
        return hook(writes) if hook else self.write(writes)

    def write(self, writes: Sequence[Write]) -> list[Entity]:
        """The transaction without hooks."""
        answer: list[Entity] = self.__getattr__("transact")(writes)
        return answer


@dataclass
class Room:
    """A table and a clock; ledgers on them are instances of one broker."""

    table: FaultyTable
    clock: Clock = field(default_factory=Clock)

    def ledger(self, budget: timedelta = LONG, **limits: Any) -> Ledger:
        given = {"starts_per_minute": 0, "live_calls": 0} | limits
        return Ledger(cast(Table, self.table), Limits(**given), budget=budget, clock=self.clock)

    def row(self, key: str) -> Entity:
        """A row of the ledger, which must exist."""
        found: Entity | None = self.table.get("live", key)
        assert found is not None
        return found


@pytest.fixture(scope="session")
def azurite_storage() -> Iterator[Storage]:
    storage = open_storage(shared_azurite().connection)
    yield storage
    storage.close()


@pytest.fixture(params=["memory", "azurite"])
def room(request: pytest.FixtureRequest) -> Room:
    azurite = request.param == "azurite"
    storage: Storage = request.getfixturevalue("azurite_storage") if azurite else MemoryStorage()
    return Room(FaultyTable(storage.table(f"ledger{next(NUMBERS)}")))
