"""A process with a pool of one idle thread. Ends with its stdin."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from tests.soak.thread_report import idle_threads

if __name__ == "__main__":
    with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
        pool.submit(int).result()
        while not idle_threads()["pool"]:
            # The work is done, but its thread may not be back in its pool yet.
            pass
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
