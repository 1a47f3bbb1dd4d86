"""Loading the app costs little more than loading azure.functions: every instance does it while its
first request waits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOADED = "import sys, function_app; print(*sys.modules, sep='\\n')"
FOR_REQUESTS = {
    "shared.api",
    "shared.auth",
    "shared.core",
    "shared.upstream",
}
"""Packages that are loaded with the app, for the most part without their modules."""


def test_the_app_loads_without_what_only_calls_and_messages_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "function_app" in loaded
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("shared.")}
    assert ours <= FOR_REQUESTS
    assert not loaded & {"requests", "azure.identity", "azure.data.tables", "websockets", "jwt"}
