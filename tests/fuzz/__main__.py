"""python -m tests.fuzz [--events 100000] [--seed 1]: an observer over many odd events.

Prints what was seen. Fails if a run ends early, doubles a line or keeps its lease, or if one event
holds the event loop for 100 ms of processor time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import time
from random import Random

from tests.fuzz.run import (
    Findings,
    observe_frames,
    observe_live,
    observe_page,
    timed_callbacks,
)

EVENTS_PER_CALL = 2000
LONGEST_SECONDS = 0.1


async def fuzz(events: int, seed: int) -> Findings:
    findings, number = Findings(), 0
    with timed_callbacks(findings):
        while findings.events < events:
            rng, number = Random(f"{seed} {number}"), number + 1
            count = min(EVENTS_PER_CALL, events - findings.events)
            observe_calls = (observe_page, observe_frames, observe_live, observe_live)[number % 4]
            await observe_calls(rng, count, findings)
            held = f"{findings.longest * 1000:.0f} ms"
            print(f"{findings.events:>8} events, longest {held}", end="\r")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    findings = asyncio.run(fuzz(chosen.events, chosen.seed))
    print()
    print(f"{findings.events} events in {time.monotonic() - started:.0f} s")
    print("events by class:", dict(findings.kinds.most_common()))
    print("lines by kind:", dict(findings.lines.most_common()))
    print(f"largest record: {findings.largest_record / 1024:.0f} KiB")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    print(f"longest callback: {findings.longest * 1000:.1f} ms, {findings.longest_in}")
    assert findings.longest < LONGEST_SECONDS, "the event loop was held"


if __name__ == "__main__":
    main()
