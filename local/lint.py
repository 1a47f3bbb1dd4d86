"""Checks style, types, front end and infrastructure: `python3 dev.py lint`.

Each check is a well-kept tool of its own; one that is not on this machine is named and skipped,
and all of them run even when one finds something.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE = ROOT / "tests" / "npm" / "node_modules"


@dataclass(frozen=True, slots=True)
class Check:
    """One tool: what it looks at, its command, and a reason to leave it out (None: run it)."""

    name: str
    command: tuple[str, ...]
    missing: str | None = None


def checks() -> list[Check]:
    """Every check, those that cannot run here with the reason."""
    python = sys.executable
    tsc = NODE / "typescript" / "bin" / "tsc"
    node = shutil.which("node")
    bicep = shutil.which("bicep")
    no_tsc = None if node and tsc.is_file() else "needs Node.js and the npm packages of tests/npm"
    found = [
        Check("style", (python, "-m", "ruff", "check", ".")),
        Check("format", (python, "-m", "ruff", "format", "--check", ".")),
        Check("types", (python, "-m", "mypy")),
        Check("front end", (node or "node", str(tsc), "-p", "frontend/jsconfig.json"), no_tsc),
    ]
    if (ROOT / "infra" / "main.bicep").is_file():
        no_bicep = None if bicep else "needs the bicep compiler (az bicep install)"
        found.append(Check("bicep", (bicep or "bicep", "lint", "infra/main.bicep"), no_bicep))
    return found


def main() -> int:
    """Runs every check; 0 if none found anything."""
    failed = 0
    for check in checks():
        if check.missing:
            sys.stdout.write(f"{check.name}: skipped, {check.missing}\n")
            continue
        done = subprocess.run(  # noqa: S603
            check.command, cwd=ROOT, capture_output=True, text=True, check=False
        )
        words = "clean" if done.returncode == 0 else "found something"
        sys.stdout.write(f"{check.name}: {words}\n")
        if done.returncode:
            failed += 1
            sys.stdout.write(done.stdout + done.stderr)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
