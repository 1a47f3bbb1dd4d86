"""Runs a module as `python -m` does, and tells on a signal which of its threads rest in a pool.

    python -m tests.soak.thread_report FILE MODULE ARGUMENTS...

A pool keeps its threads for the next work, as many as it has ever needed at once; from outside such
a thread looks like one that was left behind. On SIGUSR1 FILE gets the number of resting threads by
pool, as JSON.
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

PAUSE = timedelta(milliseconds=20)


class Silent(Exception):
    """A process does not tell."""


def telling(file: Path, name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs that module so."""
    return python_module("tests.soak.thread_report", str(file), name, *arguments)


def resting_in(pid: int, file: Path, within: timedelta) -> Mapping[str, int]:
    """What the process that was started with `file` tells. Raises Silent and OSError."""
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + within.total_seconds()
    while not file.exists():
        if time.monotonic() > until:
            raise Silent(f"process {pid} does not tell what its threads do")
        time.sleep(PAUSE.total_seconds())
    told: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return told


def resting() -> Counter[str]:
    """How many threads of this process wait for work, by the name of their pool; 0 for a pool whose
    threads are all at work."""
    frames = sys._current_frames()
    found: Counter[str] = Counter()
    for thread in list(pools._threads_queues):
        frame = frames.get(thread.ident)
        # What a pool's thread waits in is not Python's, so the loop around it is the last frame.
        waits = frame is not None and frame.f_code is pools._worker.__code__
        found[thread.name.rpartition("_")[0]] += waits
    return found


def tell(file: Path) -> None:
    """Writes it down, the whole of it at once."""
    written = file.with_suffix(".new")
    written.write_text(json.dumps(resting()), encoding="utf-8")
    written.replace(file)


def main() -> None:
    file, name = Path(sys.argv[1]), sys.argv[2]
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, lambda *_: tell(file))
    sys.argv = sys.argv[2:]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
