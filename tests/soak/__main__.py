"""`python -m tests.soak`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import tests.soak
from tests.soak.report import summary
from tests.soak.run import run


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """The program; 1 if anything is inconsistent."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=tests.soak.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--logs", type=Path, help="a file for the logs of the hosts")
    options = parser.parse_args()
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    found = asyncio.run(run(log, seconds=options.seconds, logs=options.logs))
    print(summary(found))
    return 0 if found.get("consistent", True) else 1


if __name__ == "__main__":
    sys.exit(main())
