"""Both storages for the ledger and the leases, with a clock that tests set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TypedDict, Unpack

import pytest

from shared.config.settings import Limits
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import Entity, Storage
from shared.storage.memory import MemoryStorage
from tests.support.clock import Clock
from tests.support.faulty_table import FaultyTable

NUMBERS = count(1)
LONG = timedelta(seconds=30)
"""More time than any test needs on a slow machine."""


class LimitsOf(TypedDict, total=False):
    """The limits that a test is about."""

    starts_per_minute: int
    live_calls: int
    call_length: timedelta
    tokens_per_day: int
    live_calls_total: int
    seconds_per_day: int
    live_sessions: int


@dataclass
class Room:
    """A table and a clock; ledgers on them are instances of one broker."""

    table: FaultyTable
    clock: Clock = field(default_factory=Clock)

    def ledger(self, budget: timedelta = LONG, **limits: Unpack[LimitsOf]) -> Ledger:
        given: LimitsOf = {"starts_per_minute": 0, "live_calls": 0, **limits}
        return Ledger(self.table, Limits(**given), budget=budget, clock=self.clock)

    def row(self, key: str) -> Entity:
        """A row of the ledger, which must exist."""
        found = self.table.get("live", key)
        assert found is not None
        return found


@pytest.fixture(params=["memory", "azurite"])
def room(request: pytest.FixtureRequest) -> Room:
    azurite = request.param == "azurite"
    storage: Storage = request.getfixturevalue("azurite_storage") if azurite else MemoryStorage()
    return Room(FaultyTable(storage.table(f"ledger{next(NUMBERS)}")))
