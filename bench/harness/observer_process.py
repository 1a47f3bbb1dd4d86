"""Observes many calls in this one process, in one of two ways, and prints what that took.

    python -m bench.harness.observer_process ours|threads URL CALLS TURNS ENDPOINT

`ours` is the broker's own observer, with storage in memory and transcripts on; it has the end of
each call confirmed by a hang-up at ENDPOINT. `threads` is the articles' way: a daemon thread with
an event loop of its own for every call, which prints and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from bench.harness.fake_sideband import EVENTS_PER_TURN, USAGE, question, reply
from bench.harness.processes import raise_file_limit, resource_usage
from bench.report.stats import quantile

PROBE = timedelta(milliseconds=20)
LIMIT = timedelta(seconds=120)


class Cost:
    """What a number of calls cost this process: how late its event loop runs, its memory above what
    it had before them, and its processor time."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.before = resource_usage(os.getpid())
        self.late: list[float] = []
        self.peak_memory = 0.0

    async def watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        last_look = loop.time()
        while True:
            start = loop.time()
            await asyncio.sleep(PROBE.total_seconds())
            now = loop.time()
            self.late.append(now - start - PROBE.total_seconds())
            if now - last_look > 1:
                # /proc is slow with many threads, so not on the loop that is measured.
                usage = await asyncio.to_thread(resource_usage, os.getpid())
                self.peak_memory = max(self.peak_memory, usage.memory or 0.0)
                last_look = loop.time()

    def summary(self) -> dict[str, float]:
        late = sorted(self.late)
        found = {
            "lag_p99_ms": quantile(late, 0.99) * 1000,
            "lag_max_ms": max(late, default=0.0) * 1000,
        }
        cpu = resource_usage(os.getpid()).cpu_since(self.before)
        if cpu is not None and self.before.memory is not None:
            grown = self.peak_memory - self.before.memory
            found["memory_kib_a_call"] = grown * 1024 / self.calls
            found["cpu_ms_a_call"] = cpu * 1000 / self.calls
        return found


@asynccontextmanager
async def measured(calls: int) -> AsyncIterator[dict[str, Any]]:
    """Gives a result that is filled in with what the body cost."""
    found: dict[str, Any] = {}
    cost = Cost(calls)
    watching = asyncio.create_task(cost.watch_loop())
    yield found
    watching.cancel()
    found |= cost.summary()


def call_ids(number: int) -> list[str]:
    return [f"rtc_bench{each:04d}" for each in range(number)]


async def ours(url: str, number: int, turns: int, endpoint: str) -> dict[str, Any]:
    """The way that a message on the queue takes."""
    import websockets.asyncio.client  # noqa: F401

    from bench.contenders.servers import broker_settings
    from shared.broker import open_broker, open_observer_worker
    from shared.calls.delivery import Delivery
    from shared.calls.new_call import new_record
    from shared.core.garbage import collect_rarely
    from shared.transcripts import transcript
    from shared.transcripts.writer import log_name

    on = {"OBSERVER": "eager", "TRANSCRIPTS": "on", "REALTIME_API_KEY": "key-of-the-bench"}
    on |= {"REALTIME_SIDEBAND_ENDPOINT": url, "OBSERVER_CAPACITY": str(number)}
    collect_rarely()
    broker = open_broker({**broker_settings(endpoint), **on})
    worker = open_observer_worker(broker)
    profile = broker.profiles.named(None)
    records = []
    for call in call_ids(number):
        booking = broker.stores.ledger.book_call("bench")
        record = new_record(call, booking, profile, started_by="connect", endpoint="")
        broker.stores.records.insert(record)
        records.append(record)
    async with measured(number) as found, asyncio.timeout(LIMIT.total_seconds()):
        await asyncio.gather(*(worker.follow_call(Delivery(record.id)) for record in records))
    losses = false_gaps = 0
    for record in records:
        read = transcript.read_transcript(worker.dependencies.log.read(log_name(record.call_id)))
        expected = [f(record.call_id, t) for t in range(turns) for f in (question, reply)]
        texts = [entry.text for entry in read.entries if entry.kind == "message"]
        tokens = read.usage.total == turns * int(str(USAGE["total_tokens"]))
        kept = broker.stores.records.get(record.id)
        losses += not (texts == expected and tokens and kept.ended_at is not None)
        false_gaps += read.gaps > 0
    return {**found, "calls_with_losses": losses, "calls_with_false_gaps": false_gaps}


async def threads(url: str, number: int, turns: int, _: str) -> dict[str, Any]:
    """A thread and an event loop for every call."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    seen = dict.fromkeys(call_ids(number), 0)
    base = url.replace("https://", "wss://") + "/openai/v1/realtime"

    def observe(call: str, out: IO[str]) -> None:
        async def print_events() -> None:
            headers = {"Authorization": "Bearer key-of-the-bench"}
            async with connect(f"{base}?call_id={call}", additional_headers=headers) as socket:
                try:
                    while True:
                        event = json.loads(await socket.recv())
                        seen[call] += 1
                        print(event["type"], file=out)
                except ConnectionClosed:
                    return

        asyncio.run(print_events())

    async with measured(number) as found:
        with Path(os.devnull).open("w") as out:  # noqa: ASYNC230
            started = [
                threading.Thread(target=observe, args=(call, out), daemon=True) for call in seen
            ]
            for thread in started:
                thread.start()
            end = time.monotonic() + LIMIT.total_seconds()
            while any(thread.is_alive() for thread in started) and time.monotonic() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    losses = sum(count < turns * EVENTS_PER_TURN for count in seen.values())
    return {**found, "calls_with_losses": losses}


WAYS: dict[str, Callable[[str, int, int, str], Awaitable[dict[str, Any]]]] = {
    "ours": ours,
    "threads": threads,
}


def main() -> None:
    way, url, number, turns, endpoint = sys.argv[1:6]

    raise_file_limit()

    async def run() -> dict[str, Any]:
        start = time.monotonic()
        found = await WAYS[way](url, int(number), int(turns), endpoint)
        return {**found, "seconds": time.monotonic() - start}

    sys.stdout.write(json.dumps(asyncio.run(run())) + "\n")


if __name__ == "__main__":
    main()
