"""`python3 dev.py bench`: everything that is measured, side by side, in one run.

    python3 dev.py bench [--only PARTS] [--rounds 3] [--soak-seconds 60]
    python3 dev.py bench --render

Prints the results as Markdown, and what got better or worse since `bench/results/latest.json` was
recorded; writes that file anew, `bench/results/comparison.md`, and the tables and pictures of
docs/performance.md and docs/scale.md. `--render` measures nothing and writes those of what is
recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import recorded
from bench.harness.processes import ROOT
from bench.machine import version
from bench.measurements import PARTS, measure
from bench.report.comparison import compare, runs
from bench.report.render import report


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


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5, help="of one load")
    parser.add_argument("--requests", type=int, default=100_000, help="of the growth part")
    parser.add_argument("--calls", type=int, default=10_000, help="of the growth part")
    parser.add_argument("--soak-seconds", type=float, default=60)
    parser.add_argument("--soak-log", type=Path, help="a file for the logs of the soak's hosts")
    parser.add_argument(
        "--against", type=Path, default=recorded.LATEST, help="results to compare with"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing, write the pages")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(arguments)
    if options.render:
        recorded.write_pages(recorded.read())
        return 0
    install()
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    against, before = recorded.read(options.against), recorded.read()
    found: dict[str, Any] = {}

    def keep(name: str, part: dict[str, Any]) -> None:
        found[name] = recorded.rounded(part)
        recorded.keep(found)

    failed = asyncio.run(measure(options, log, keep, before))
    compared = compare(found, against)
    recorded.COMPARISON.write_text(f"# {runs(found, against)}\n\n{compared}\n")
    recorded.write_pages(recorded.keep(found))
    print(f"{report(found)}\n\n## compared with what was recorded\n\n{compared}")
    for name, why in failed.items():
        print(f"\n**{name} failed**: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
