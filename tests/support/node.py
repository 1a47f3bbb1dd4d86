"""What the tests take from npm: pinned in tests/npm, installed by `python3 dev.py test`."""

from __future__ import annotations

import shutil
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1] / "npm" / "node_modules"


class NotHere(Exception):
    """Node.js or a package is missing; the text says which one and what to do."""


def node() -> str:
    """Node.js. Raises NotHere."""
    found = shutil.which("node")
    if found is None:
        raise NotHere("Node.js is not on the PATH")
    return found


def package_file(package: str, file: str) -> Path:
    """A file of an npm package. Raises NotHere."""
    node()
    path = PACKAGES / package / file
    if not path.is_file():
        raise NotHere(f"{package} is not installed: `npm ci --ignore-scripts` in tests/npm")
    return path
