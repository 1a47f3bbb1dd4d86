"""Runs the unit tests of the browser client's modules (tests/browser/unit) in Node.js."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parent / "unit"
OLDEST_NODE = 20


def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node.js on this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node.js {version.stdout.strip()} is older than {OLDEST_NODE}")
    return found


@pytest.mark.parametrize("file", sorted(path.name for path in UNIT.glob("*.test.mjs")))
def test_module(file: str) -> None:
    command = [node(), "--test", "--test-reporter=spec", str(UNIT / file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
