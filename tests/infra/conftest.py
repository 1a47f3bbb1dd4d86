"""Makes the hooks importable: azd runs them as programs from their own folder. Has the processes
of a run share what the compiler answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.infra.shared_answers import ANSWERS

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "infra" / "hooks"))


# The compiler runs briefly: optimising its own code and collecting garbage beside it takes half of
# its time.
for name in ("DOTNET_TieredCompilation", "DOTNET_gcConcurrent"):
    os.environ.setdefault(name, "0")


@pytest.fixture(scope="session", autouse=True)
def share_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each process has a folder of its own in the one of the run.
        ANSWERS.folder = tmp_path_factory.getbasetemp().parent / "compiler-answers"
