"""`python3 dev.py bench`: everything that is measured, side by side, in one run.

    python3 dev.py bench [--only PARTS] [--rounds 3] [--soak-seconds 60]

Prints the results as Markdown; writes `bench/results/latest.json`, and the tables and pictures of
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
from bench.report.markdown import fill_page, report
from bench.report.svg import pictures

RESULTS = ROOT / "bench" / "results"
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "scale.md")
PACKAGES = (
    "azure-functions", "aiohttp", "requests", "urllib3", "websockets", "flask", "gunicorn",
)  # fmt: skip
PARTS = (
    *("cold", "sides", "afar", "instance", "observers", "live", "page", "emulator", "growth"),
    *("soak", "accounts"),
)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def install() -> None:
    """Installs what the broker is compared with, unless it is there."""
    if version("gunicorn") and version("flask"):
        return
    log("  installing what is compared with (bench/requirements.txt)")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "-r", "bench/requirements.txt"],
        cwd=ROOT,
        check=True,
    )


def version(package: str) -> str:
    """Of an installed package; "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def machine() -> dict[str, Any]:
    """Where this was measured; nothing that identifies the machine."""
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


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The parts asked for, each with the machine that it was measured on."""
    from bench.measure import (
        accounts,
        cold_start,
        emulator,
        instance,
        live_observers,
        memory,
        observers,
        page,
        requests,
    )
    from tests.soak import run as soak

    measurements: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "cold": lambda: cold_start.run(log, rounds=2 * options.rounds + 1),
        "sides": lambda: requests.run(log, rounds=options.rounds, seconds=options.seconds),
        "afar": lambda: requests.run_afar(log, rounds=options.rounds),
        "instance": lambda: instance.run(log, rounds=options.rounds, seconds=options.seconds),
        "observers": lambda: observers.run(log, rounds=min(2, options.rounds)),
        "live": lambda: live_observers.run(log, rounds=min(2, options.rounds)),
        "page": lambda: page.run(log, clicks=2 * options.rounds + 1),
        "emulator": lambda: emulator.run(log, rounds=1),
        "growth": lambda: memory.run(log, requests=options.requests),
        "soak": lambda: soak.run(log, seconds=options.soak_seconds, logs=options.soak_log),
        "accounts": lambda: accounts.run(log),
    }
    measured_on = machine()
    found: dict[str, Any] = {}
    for name in PARTS:
        if name in options.only:
            start = time.monotonic()
            log(f"{name} …")
            found[name] = {**await measurements[name](), "machine": measured_on}
            log(f"{name}: done in {time.monotonic() - start:.0f} s")
    return found


def record(found: dict[str, Any]) -> None:
    """Writes the results, the pages and the pictures. Parts that were not measured this time stay
    as they were recorded."""
    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    recorded = json.loads(latest.read_text()) if latest.is_file() else {}
    recorded = rounded({**recorded, **found})
    latest.write_text(json.dumps(recorded, indent=1) + "\n")
    write_pages(recorded)


def write_pages(recorded: dict[str, Any]) -> None:
    for name, picture in pictures(recorded).items():
        (IMAGES / name).write_text(picture)
    for page in PAGES:
        page.write_text(fill_page(page.read_text(), recorded))


def rounded(value: Any) -> Any:
    """Every number to four significant digits; more were never measured."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of one load")
    parser.add_argument("--requests", type=int, default=100_000, help="of the growth part")
    parser.add_argument("--soak-seconds", type=float, default=60)
    parser.add_argument("--soak-log", type=Path, help="a file for the logs of the soak's hosts")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    install()
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    found = asyncio.run(measure(options))
    record(found)
    print(report(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
