"""Where and of what commit something is measured; nothing that identifies the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.harness.processes import ROOT

PACKAGES = (
    "azure-functions", "aiohttp", "requests", "urllib3", "websockets", "flask", "gunicorn",
)  # fmt: skip
RESULTS = ":!bench/results"
"""What a run writes itself is no change of what it measures."""


def version(package: str) -> str:
    """Of an installed package; "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def machine() -> dict[str, Any]:
    cpu = ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = lines[0].partition(":")[2].strip() if lines else ""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def commit() -> str:
    """The commit that is checked out, with a plus where more was changed; "" without git."""
    head = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", RESULTS, ":!docs")
    return head + ("+" if head and changed else "")


def git(*arguments: str) -> str:
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
