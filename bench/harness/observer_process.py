"""Observes many calls in this one process, in one of two ways, and says what that took.

    python -m bench.harness.observer_process ours|threads URL CALLS TURNS

`ours` is the broker's own observing, storage in memory, transcripts on. `threads` is the articles'
way: a daemon thread with an event loop of its own for every call, which prints and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from bench.harness.fake_sideband import EVENTS_A_TURN, USAGE, question, reply
from bench.harness.processes import weigh
from bench.report.stats import quantile

PROBE = timedelta(milliseconds=20)
LONGEST = timedelta(seconds=120)


class Lag:
    """How much later than asked for an event loop comes back, in seconds; and the peak memory."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.memory: list[float] = []

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        weighed = loop.time()
        while True:
            asked = loop.time()
            await asyncio.sleep(PROBE.total_seconds())
            now = loop.time()
            self.late.append(now - asked - PROBE.total_seconds())
            if now - weighed > 1:
                # /proc takes its time for many threads: not on the loop that is measured.
                weight = await asyncio.to_thread(weigh, os.getpid())
                self.memory.append(weight.memory or 0.0)
                weighed = loop.time()

    def shown(self) -> dict[str, float]:
        ordered = sorted(self.late)
        return {
            "lag_p99_ms": quantile(ordered, 0.99) * 1000,
            "lag_max_ms": max(ordered, default=0.0) * 1000,
        }


def calls(number: int) -> list[str]:
    return [f"rtc_bench{each:04d}" for each in range(number)]


async def ours(url: str, number: int, turns: int) -> tuple[dict[str, Any], Lag]:
    """Through `Observing.follow`, as a message on the queue would."""
    import websockets.asyncio.client  # noqa: F401

    from bench.contenders.sides import broker_settings
    from shared.broker import open_broker, open_observer_worker
    from shared.calls.service import record_of
    from shared.transcripts import transcript
    from shared.transcripts.writer import log_name

    broker = open_broker(
        {
            **broker_settings(url),
            "OBSERVER": "eager",
            "TRANSCRIPTS": "on",
            "REALTIME_API_KEY": "of-the-bench",
        }
    )
    following = open_observer_worker(broker)
    profile = broker.profiles.named(None)
    records = []
    for call in calls(number):
        record = record_of(call, broker.stores.ledger.book_call("bench"), profile, "connect")
        broker.stores.records.insert(record)
        records.append(record)
    before = weigh(os.getpid())
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    async with asyncio.timeout(LONGEST.total_seconds()):
        await asyncio.gather(*(following.follow(record.id) for record in records))
    watching.cancel()
    after = weigh(os.getpid())
    wrong = 0
    for record in records:
        said = transcript.read(following.log.read(log_name(record.call_id)))
        wanted = [f(record.call_id, t) for t in range(turns) for f in (question, reply)]
        texts = [entry.text for entry in said.entries if entry.kind == "message"]
        tokens = said.usage.total == turns * int(str(USAGE["total_tokens"]))
        kept = broker.stores.records.get(record.id)
        wrong += not (texts == wanted and tokens and said.gaps == 0 and kept.ended_at is not None)
    return {**used(before, after, lag, number), "calls_with_losses": wrong}, lag


async def threads(url: str, number: int, turns: int) -> tuple[dict[str, Any], Lag]:
    """A thread and an event loop for every call."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    seen = dict.fromkeys(calls(number), 0)
    base = url.replace("https://", "wss://") + "/openai/v1/realtime"

    def observe(call: str, out: IO[str]) -> None:
        async def listen() -> None:
            proof = {"Authorization": "Bearer of-the-bench"}
            async with connect(f"{base}?call_id={call}", additional_headers=proof) as socket:
                try:
                    while True:
                        event = json.loads(await socket.recv())
                        seen[call] += 1
                        print(event["type"], file=out)
                except ConnectionClosed:
                    return

        asyncio.run(listen())

    before = weigh(os.getpid())
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    with Path(os.devnull).open("w") as out:  # noqa: ASYNC230
        begun = [
            threading.Thread(target=observe, args=(call, out), daemon=True)
            for call in calls(number)
        ]
        for thread in begun:
            thread.start()
        ends = time.monotonic() + LONGEST.total_seconds()
        while any(one.is_alive() for one in begun) and time.monotonic() < ends:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    watching.cancel()
    after = weigh(os.getpid())
    wrong = sum(count < turns * EVENTS_A_TURN for count in seen.values())
    return {**used(before, after, lag, number), "calls_with_losses": wrong}, lag


def used(before: Any, after: Any, lag: Lag, number: int) -> dict[str, Any]:
    """Memory above that of the process before its calls, and processor time, for each call."""
    if before.cpu is None or after.cpu is None:
        return {}
    return {
        "memory_kib_a_call": (max(lag.memory, default=0.0) - before.memory) * 1024 / number,
        "cpu_ms_a_call": (after.cpu - before.cpu) * 1000 / number,
    }


WAYS: dict[str, Callable[[str, int, int], Any]] = {"ours": ours, "threads": threads}


def main() -> None:
    way, url, number, turns = sys.argv[1:5]
    began = time.monotonic()
    found, lag = asyncio.run(WAYS[way](url, int(number), int(turns)))
    found |= {**lag.shown(), "seconds": time.monotonic() - began}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
