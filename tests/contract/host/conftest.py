"""Microsoft's runtime package, in an environment of its own.

The first run creates it in .cache/ (or BROKER_PYTHON_DIR), where Python 3.13 or newer is available.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT

VERSIONS = ("azure-functions==2.3.0", "azure-functions-runtime==1.3.0")
CACHE = Path(os.environ.get("BROKER_PYTHON_DIR", ROOT / ".cache" / "python"))


def candidates() -> Iterator[str]:
    for minor in (13, 14, 15):
        found = shutil.which(f"python3.{minor}")
        if found:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in (13, 14, 15):
        for folder in sorted(pyenv.glob(f"3.{minor}.*")):
            yield str(folder / "bin" / "python")


def newer_python() -> str:
    """A Python 3.13 or newer that runs; a version manager's shim may not."""
    ask = "import sys; raise SystemExit(sys.version_info < (3, 13))"
    for path in candidates():
        if subprocess.run([path, "-c", ask], capture_output=True).returncode == 0:
            return path
    pytest.skip("azure-functions-runtime needs Python 3.13 or newer")


@pytest.fixture(scope="session")
def runtime_python() -> str:
    place = CACHE / "runtime-1.3.0"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (place / "installed").exists():
        subprocess.run([newer_python(), "-m", "venv", "--clear", place], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Two runs: with a hash in one of its requirements, pip demands one for each.
        for requirements in (["-r", str(ROOT / "requirements.txt")], VERSIONS):
            done = subprocess.run([*install, *requirements], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"azure-functions-runtime cannot be installed: {done.stderr[-300:]}")
        (place / "installed").touch()
    return str(python)
