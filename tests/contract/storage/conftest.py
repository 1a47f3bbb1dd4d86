"""Both storages: every contract test runs on memory and on Azurite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import pytest

from shared.storage.azure import open_storage
from shared.storage.interfaces import Entity, Storage, Table
from shared.storage.memory import MemoryStorage
from tests.support.azurite import shared_azurite

T = TypeVar("T")
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


@pytest.fixture(scope="session")
def azurite_storage() -> Iterator[Storage]:
    storage = open_storage(shared_azurite().connection)
    yield storage
    storage.close()


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


def at_once(number: int, work: Callable[[int], T]) -> list[T]:
    """Runs `work(i)` in `number` threads that start together; returns the results in order."""
    barrier = threading.Barrier(number)
    results: dict[int, T] = {}

    def run(index: int) -> None:
        barrier.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[index] for index in range(number)]
