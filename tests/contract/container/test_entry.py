"""What the first process of the container does with signals and with what it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.infra.test_package import APP, packaged, tracked
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "container"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it runs in a Linux container")
# As in Microsoft's image: a shell that passes nothing on, and below it what needs the signal.
WORKER = """
trap 'sleep {takes}; echo handed over; exit 0' TERM
echo ready
while :; do sleep 0.05; done
"""


def started(script: str, **environment: str) -> subprocess.Popen[str]:
    """The entry with a shell that has the script as its child."""
    below = f"sh -c '{script.replace(chr(39), chr(39) + chr(34) + chr(39) + chr(34) + chr(39))}'"
    process = subprocess.Popen(
        [sys.executable, CONTAINER / "entry.py", "sh", "-c", f"{below}; exit 3"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_signal_reaches_the_worker_and_its_end_is_waited_for() -> None:
    entry = started(WORKER.format(takes=0.3))
    entry.send_signal(signal.SIGTERM)
    said, _ = entry.communicate(timeout=PATIENCE)
    assert said == "handed over\n"
    assert entry.returncode == 128 + signal.SIGTERM


def test_what_does_not_end_is_killed_after_the_grace_period() -> None:
    entry = started(WORKER.format(takes=60), STOP_GRACE_SECONDS="1")
    entry.send_signal(signal.SIGTERM)
    began = time.monotonic()
    said, _ = entry.communicate(timeout=PATIENCE)
    assert said == ""
    assert time.monotonic() - began < 5
    assert entry.returncode != 0


def test_a_host_that_ends_by_itself_takes_the_container_with_it() -> None:
    entry = started("echo ready; (trap 'exit 0' TERM; while :; do sleep 0.05; done) & exit 0")
    entry.communicate(timeout=PATIENCE)
    assert entry.returncode == 3, "the exit code of the command"


def admitted(files: list[str]) -> set[str]:
    """The files that Dockerfile.dockerignore leaves in the context, by Docker's rules: the last
    pattern that matches a file or a folder above it decides."""
    found = set()
    lines = (CONTAINER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    for file in files:
        parts = file.split("/")
        above = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
        is_in = True
        for pattern in patterns:
            plain = pattern.removeprefix("!")
            if any(matches(path, plain) for path in above):
                is_in = pattern.startswith("!")
        if is_in:
            found.add(file)
    return found


def matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path.rpartition("/")[2], pattern.removeprefix("**/"))
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


def test_the_image_has_exactly_the_package_and_its_entry() -> None:
    files = tracked()
    assert admitted(files) == packaged(files) | {"container/entry.py"}
    lines = (CONTAINER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    sources = {source for each in copied for source in each}
    assert sources == {*APP, "shared", "profiles", "container/entry.py"}
    (entry,) = (line for line in lines if line.startswith("ENTRYPOINT "))
    assert entry == 'ENTRYPOINT ["python3", "/opt/startup/entry.py"]'
    (base,) = (line for line in lines if line.startswith("FROM "))
    assert base == "FROM mcr.microsoft.com/azure-functions/python:4-python3.12"
