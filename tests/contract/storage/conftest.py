"""Both storages: every contract test runs on each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from shared.storage.azure import open_storage
from shared.storage.interfaces import Storage
from shared.storage.memory import MemoryStorage
from tests.support.azurite import shared_azurite

NUMBERS = count(1)


@dataclass
class Backend:
    """A storage, and how time passes in it."""

    storage: Storage
    now: datetime | None = None

    def pass_time(self, span: timedelta) -> None:
        """Memory's clock is turned; Azurite has its own, so the test waits."""
        if self.now is None:
            # Nothing can be awaited in a server's clock.
            time.sleep(span.total_seconds())
        else:
            self.now += span

    def name(self) -> str:
        """A name that no other test uses, good for a table, a queue and a container."""
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
    made = Backend(MemoryStorage(), datetime(2026, 11, 20, tzinfo=UTC))
    made.storage = MemoryStorage(lambda: made.now)
    return made


def at_once(number: int, work) -> list:
    """Runs `work(i)` in `number` threads that start together; gives the results in order."""
    barrier = threading.Barrier(number)
    results: list = [None] * number

    def run(index: int) -> None:
        barrier.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
