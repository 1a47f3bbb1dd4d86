"""Both storages: every contract test runs on memory and on Azurite."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from shared.storage.interfaces import Entity, Storage, Table
from shared.storage.memory import MemoryStorage

NUMBERS = count(1)


@dataclass
class Backend:
    """A storage, and a way to let time pass in it."""

    storage: Storage
    now: datetime | None = None

    def pass_time(self, span: timedelta) -> None:
        """Moves the memory storage's clock on; Azurite has its own, so the test waits."""
        if self.now is None:
            # There is no event to wait for in a server's clock.
            time.sleep(span.total_seconds())
        else:
            self.now += span

    def name(self) -> str:
        """A name that no other test uses, valid for a table, a queue and a container."""
        return f"contract{next(NUMBERS)}"


@pytest.fixture(params=["memory", "azurite"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "azurite":
        return Backend(request.getfixturevalue("azurite_storage"))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    made = Backend(MemoryStorage(lambda: made.now or start), start)
    return made


def existing_row(table: Table, partition: str, row: str) -> Entity:
    """The row, which must exist."""
    found = table.get(partition, row)
    assert found is not None
    return found
