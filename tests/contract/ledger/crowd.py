"""One of several instances of a broker: books calls for many callers at once.

Run as `python -m tests.contract.ledger.crowd`, with one line of JSON on stdin that says what to do.
Prints `ready`, starts at the next line of stdin, and prints the outcomes as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from datetime import timedelta

from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.storage.azure import open_storage


def main() -> None:
    task = json.loads(sys.stdin.readline())
    storage = open_storage(task["connection"])
    ledger = Ledger(
        storage.table(task["table"]), Limits(**task["limits"]), budget=timedelta(seconds=60)
    )
    outcomes: Counter[str] = Counter()
    references: list[str] = []
    lock = threading.Lock()
    start = threading.Event()
    shares = [task["callers"][index :: task["threads"]] for index in range(task["threads"])]

    def run(callers: list[str]) -> None:
        start.wait()
        for number, caller in enumerate(callers, 1):
            try:
                booking = ledger.book_call(caller, api=task["api"])
                fails = task["fails"] and number % task["fails"] == 0
                outcome = "failed upstream" if fails else "booked"
                if fails:
                    ledger.undo_booking(booking)
                elif task["settles"] and random.random() < 0.5:
                    ledger.settle_call(booking.reference)
                    outcome = "settled"
            except Problem as problem:
                outcome = problem.code
            with lock:
                outcomes[outcome] += 1
                if outcome == "booked":
                    references.append(booking.reference)

    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    start.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"outcomes": outcomes, "references": references}) + "\n")
    storage.close()


if __name__ == "__main__":
    main()
