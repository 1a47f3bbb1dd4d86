"""A process with a pool of one thread that rests. Ends with its stdin."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.soak.thread_report import resting

if __name__ == "__main__":
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        pool.submit(int).result()
        while not resting()["pool"]:
            # The work is done, but its thread need not have come back to its pool yet.
            pass
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
