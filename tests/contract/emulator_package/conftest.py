"""The wheel of the working tree, and where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import emulator_package


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emulator_package.build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def programs(wheel: Path) -> Path:
    """The programs of an environment that has the emulator and not the repository."""
    return emulator_package.bare_environment(wheel)
