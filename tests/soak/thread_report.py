"""Runs a module as `python -m` does, and reports on a signal which of its threads are idle.

    python -m tests.soak.thread_report FILE MODULE ARGUMENTS...

A pool keeps its threads for later work, as many as it has ever needed at once; from outside such a
thread looks like one that was leaked. On SIGUSR1 the number of idle threads by pool is written to
FILE, as JSON.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import thread as pools
from datetime import timedelta
from pathlib import Path

from bench.harness.processes import python_module

POLL = timedelta(milliseconds=20)


class NoReport(Exception):
    """A process does not report its threads."""


def reporting_command(file: Path, name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs that module so."""
    return python_module("tests.soak.thread_report", str(file), name, *arguments)


def request_report(pid: int, file: Path, limit: timedelta) -> Mapping[str, int]:
    """The idle threads of the process that was started with `file`. Raises NoReport and OSError."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + limit.total_seconds()
    while not file.exists():
        if time.monotonic() > until:
            raise NoReport(f"process {pid} does not report its threads")
        time.sleep(POLL.total_seconds())
    report: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return report


def idle_threads() -> Counter[str]:
    """How many threads of this process wait for work, by the name of their pool; 0 for a pool whose
    threads are all busy."""
    frames = sys._current_frames()
    found: Counter[str] = Counter()
    for thread in list(pools._threads_queues):
        frame = frames.get(thread.ident)
        # A pool's thread waits in C code, so the loop around it is the last Python frame.
        waiting = frame is not None and frame.f_code is pools._worker.__code__
        found[thread.name.rpartition("_")[0]] += waiting
    return found


def write_report(file: Path) -> None:
    """Writes it in one step, so that nobody reads half of it."""
    written = file.with_suffix(".new")
    written.write_text(json.dumps(idle_threads()), encoding="utf-8")
    written.replace(file)


def main() -> None:
    file, name = Path(sys.argv[1]), sys.argv[2]
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, lambda *_: write_report(file))
    sys.argv = sys.argv[2:]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
