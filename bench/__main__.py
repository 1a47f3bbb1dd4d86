"""`python3 dev.py bench`: everything that is measured, side by side, in one run.

    python3 dev.py bench [--only PARTS] [--rounds 3] [--soak-seconds 45]

Prints a table; writes `bench/results/latest.json`, and the tables and pictures of
docs/performance.md and docs/scale.md.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from bench.harness.processes import ROOT
from bench.report.console import pictures, table
from bench.report.markdown import filled

RESULTS = ROOT / "bench" / "results"
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "scale.md")
PACKAGES = (
    "azure-functions", "aiohttp", "requests", "urllib3", "websockets", "flask", "gunicorn",
)  # fmt: skip
PARTS = ("cold", "sides", "afar", "instance", "observers", "page", "emulator", "growth", "soak")


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def install() -> None:
    """What the bench compares with, unless it is there."""
    try:
        importlib.metadata.version("gunicorn")
        importlib.metadata.version("flask")
    except importlib.metadata.PackageNotFoundError:
        say("  installing what is compared with (bench/requirements.txt)")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "-r", "bench/requirements.txt"],
            cwd=ROOT,
            check=True,
        )


def machine() -> dict[str, Any]:
    """Where this was measured; nothing that names the machine."""
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


def version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    from bench.measure import cold_start, emulator, instance, memory, observers, page, requests
    from tests import soak

    work: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "cold": lambda: cold_start.run(say, rounds=2 * options.rounds + 1),
        "sides": lambda: requests.run(say, rounds=options.rounds, seconds=options.seconds),
        "afar": lambda: requests.run_afar(say, rounds=options.rounds),
        "instance": lambda: instance.run(say, rounds=options.rounds, seconds=options.seconds),
        "observers": lambda: observers.run(say, rounds=min(2, options.rounds)),
        "page": lambda: page.run(say, clicks=2 * options.rounds + 1),
        "emulator": lambda: emulator.run(say, rounds=1),
        "growth": lambda: memory.run(say, requests=options.requests),
        "soak": lambda: soak.run(say, seconds=options.soak_seconds, logs=options.soak_log),
    }
    found: dict[str, Any] = {"machine": machine()}
    for name in PARTS:
        if name in options.only:
            began = time.monotonic()
            say(f"{name} …")
            found[name] = await work[name]()
            say(f"{name}: done in {time.monotonic() - began:.0f} s")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of one load")
    parser.add_argument("--requests", type=int, default=100_000, help="of the growth part")
    parser.add_argument("--soak-seconds", type=float, default=45)
    parser.add_argument("--soak-log", type=Path, help="where to write what its hosts say")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    install()
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    found = asyncio.run(measure(options))
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    kept = json.loads(latest.read_text()) if latest.is_file() else {}
    # A run of some parts leaves the others as they were, with the machine they were measured on.
    for name in PARTS:
        if name in found:
            kept[name] = {**found[name], "machine": found["machine"]}
    kept = rounded(kept)
    latest.write_text(json.dumps(kept, indent=1) + "\n")
    for name, picture in pictures(kept).items():
        (IMAGES / name).write_text(picture)
    for page in PAGES:
        page.write_text(filled(page.read_text(), kept))
    print(table(found))
    return 0


def rounded(value: Any) -> Any:
    """Numbers with four digits: more were never measured."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    sys.exit(main())
