"""Both storages: every contract test runs on memory and on Azurite."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import pytest

from shared.storage.interfaces import Entity, Log, Storage, Table
from shared.storage.memory import MemoryStorage
from tests.support.clock import Clock
from tests.support.live_call_audio import LiveCallAudio

NUMBERS = count(1)


@dataclass
class Backend:
    """A storage. `pass_time` returns when that much time has passed in it."""

    storage: Storage
    pass_time: Callable[[timedelta], None]

    def name(self) -> str:
        """A name that no other test uses, valid for a table, a queue and a container."""
        return f"contract{next(NUMBERS)}"


@pytest.fixture(params=["memory", "azurite"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "azurite":
        # There is no event to wait for in a server's clock.
        storage: Storage = request.getfixturevalue("azurite_storage")
        return Backend(storage, lambda span: time.sleep(span.total_seconds()))
    clock = Clock()
    return Backend(MemoryStorage(clock), lambda span: clock.advance(seconds=span.total_seconds()))


@pytest.fixture
def log(backend: Backend) -> Log:
    return backend.storage.log(backend.name())


@pytest.fixture
def call(log: Log) -> LiveCallAudio:
    return LiveCallAudio(log)


def existing_row(table: Table, partition: str, row: str) -> Entity:
    """The row, which must exist."""
    found = table.get(partition, row)
    assert found is not None
    return found
