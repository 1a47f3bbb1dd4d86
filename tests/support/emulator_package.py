"""The wheel of the emulator or another package, and an environment that has it and nothing of the
repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "realtime_emulator"
CACHE: Final = ROOT / ".cache"
EXTRAS: Final = ("pytest", "pytest-asyncio")
"""What is installed besides, for the tests of the plugin."""


def build_wheel(folder: Path, package: Path = FOLDER) -> Path:
    """Builds the wheel as `pip install` does, with the hatchling that is installed here."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(package))
    (wheel,) = folder.glob("*.whl")
    return wheel


def bare_environment(
    wheel: Path, package: Path = FOLDER, name: str = "emulator", extras: tuple[str, ...] = EXTRAS
) -> Path:
    """The folder with the programs of an environment that has the wheel, and its dependencies only.

    They come from the package index once, and stay until those that are asked for change.
    """
    metadata = (package / "pyproject.toml").read_bytes() + repr((sys.version, extras)).encode()
    folder = CACHE / f"{name}-{hashlib.sha256(metadata).hexdigest()[:12]}"
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    # With the pip that runs here: to install one takes almost as long as what is installed with it.
    pip = (sys.executable, "-m", "pip", "--python", str(folder), "install")
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", str(wheel))
    if (folder / "complete").exists():
        run(*pip, *options, "--no-deps", "--no-index", "--force-reinstall")
        return programs
    for stale in CACHE.glob(f"{name}-*"):
        shutil.rmtree(stale)
    run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
    run(*pip, *options, *extras)
    (folder / "complete").touch()
    return programs


def bare_variables() -> dict[str, str]:
    """The environment without what could lead back into the repository."""
    return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}


def run(*command: str, cwd: Path | None = None, given: str | None = None) -> str:
    """Runs a program outside the repository, with `given` as its input, and returns what it
    printed."""
    done = subprocess.run(
        command,
        cwd=cwd or CACHE.parent.parent,
        env=bare_variables(),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
