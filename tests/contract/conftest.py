"""A fixture for the contract tests of several folders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.storage.azure import open_storage
from shared.storage.interfaces import Storage
from tests.support.azurite import shared_azurite


@pytest.fixture(scope="session")
def azurite_storage() -> Iterator[Storage]:
    storage = open_storage(shared_azurite().connection)
    yield storage
    storage.close()
