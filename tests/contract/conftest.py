"""Fixtures for the contract tests of several folders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.api import warm_up
from shared.storage.azure import open_storage
from shared.storage.interfaces import Storage
from tests.support.azurite import shared_azurite


@pytest.fixture(scope="session")
def azurite_storage() -> Iterator[Storage]:
    storage = open_storage(shared_azurite().connection)
    yield storage
    storage.close()


@pytest.fixture(autouse=True)
def opened_by_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker in this process is opened by its first request: a test may change its settings
    until then (tests/unit/api/test_warm_up.py has the early opening)."""
    monkeypatch.setattr(warm_up, "open_early", lambda: None)
