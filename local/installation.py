"""How dev.py installs something: each step said, and no step that is done already."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


class Stop(Exception):
    """The command cannot run. The message says what to do first."""


@contextmanager
def step(message: str) -> Iterator[None]:
    """Prints a progress line, and how long the step took."""
    say(f"  {message} …")
    began = time.monotonic()
    yield
    say(f"  {message}: done in {time.monotonic() - began:.0f} s")


def run_quietly(message: str, command: list[str], cwd: Path = ROOT) -> None:
    """Runs an installation command and shows its output only if it fails. Raises Stop then."""
    with step(message):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        say(done.stdout[-2000:] + done.stderr[-2000:])
        raise Stop(f"{message} failed; see the output above.")


def fingerprint_files(*files: Path) -> str:
    seen = hashlib.sha256(sys.version.encode())
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()


def up_to_date(mark: Path, wanted: str) -> bool:
    return mark.is_file() and mark.read_text() == wanted
