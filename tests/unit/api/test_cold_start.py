"""Loading the app costs little more than loading azure.functions: every instance does it while its
first request waits."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

from shared.api import http_functions
from shared.api.routes import FUNCTIONS, ROUTES

ROOT = Path(__file__).resolve().parents[3]
LOADED = "import sys, function_app; print(*sys.modules, sep='\\n')"
WITH_THE_APP = {"shared.api", "shared.core"}
"""Packages that are loaded with the app, for the most part without their modules."""
FOR_REQUESTS = {"shared.api.http", "shared.api.http_functions", "shared.api.handlers"}


def test_the_app_loads_without_what_only_calls_and_messages_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "function_app" in loaded
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("shared.")}
    assert ours <= WITH_THE_APP
    assert not loaded & FOR_REQUESTS
    assert not loaded & {"requests", "azure.identity", "azure.data.tables", "websockets", "jwt"}


def test_every_route_has_its_function() -> None:
    written = {
        name
        for name, each in vars(http_functions).items()
        if inspect.iscoroutinefunction(each) and each.__module__ == http_functions.__name__
    }
    assert written == set(FUNCTIONS.values())
    assert [each.__name__ for each in ROUTES.values()] == list(FUNCTIONS.values())
