"""Observes many Live calls in this one process, and prints what that took.

    python -m bench.harness.live_observer_process ours|parsing URL CALLS SECONDS

The broker's own observer, with storage in memory and transcripts on. `ours` drops frames with audio
as they arrive. `parsing` is the same observer on a connection that drops nothing and whose reader
parses the JSON of every frame, so that audio is an event like any other, of which nothing is made.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.harness.live_sideband import turns_of
from bench.harness.observer_process import measured
from bench.harness.processes import raise_file_limit
from shared.config.voice_api import LIVE
from shared.core.clock import utc_now
from shared.core.garbage import collect_rarely
from shared.live.server_event_parser import parse_server_event
from shared.live.sideband_contract import LIVE_SIDEBAND, LIVE_SIDEBAND_WITH_AUDIO
from shared.observer.context import Dependencies, ObservedCall, Outcome
from shared.observer.leases import LEASE_DURATION, Leases
from shared.observer.observer import observe
from shared.sideband.connector import SidebandConnector
from shared.sideband.contract import ReadFrame
from shared.sideband.events import ServerEvent
from shared.sideband.json_frames import read_object, text_of
from shared.storage.memory import MemoryLog, MemoryTable
from shared.transcripts import transcript
from shared.transcripts.writer import log_name

LIMIT = timedelta(seconds=180)


def parse_every_frame() -> ReadFrame:
    """A reader to which audio is an event like any other."""

    def read(frame: str | bytes) -> ServerEvent:
        return parse_server_event(read_object(text_of(frame)))

    return read


PARSING = replace(LIVE_SIDEBAND_WITH_AUDIO, frame_reader=parse_every_frame)
WAYS = {"ours": LIVE_SIDEBAND, "parsing": PARSING}


async def hang_up() -> str:
    return "hang-up answered"


async def observe_calls(way: str, url: str, number: int, seconds: int) -> dict[str, Any]:
    import websockets.asyncio.client  # noqa: F401

    log, leases = MemoryLog(), Leases(MemoryTable(), LEASE_DURATION)
    headers = {"Authorization": "Bearer key-of-the-bench"}
    with ThreadPoolExecutor(64) as pool:
        connect = SidebandConnector(f"{url}/v1/live", lambda: headers, WAYS[way], executor=pool)
        dependencies = Dependencies(connect, leases, log, hang_up=hang_up, executor=pool)
        calls = [f"live_bench{each:04d}" for each in range(number)]
        async with measured(number) as found, asyncio.timeout(LIMIT.total_seconds()):
            started = utc_now()
            results = await asyncio.gather(
                *(
                    observe(
                        ObservedCall(call, keep_words=True, started_at=started, api=LIVE),
                        dependencies,
                        f"run-{call}",
                    )
                    for call in calls
                )
            )
    losses = 0
    for call, result in zip(calls, results, strict=True):
        read = transcript.read_transcript(log.read(log_name(call)))
        said = [(each.role, each.text) for each in read.entries if each.kind == "message"]
        used = result.tally.usage.live
        is_counted = used is not None and used.seconds == seconds and used.is_final
        is_over = (result.outcome, result.reason) == (Outcome.ENDED, "expired")
        losses += not (said == turns_of(call, seconds) and is_counted and is_over)
    return {**found, "calls_with_losses": losses}


def main() -> None:
    way, url, number, seconds = sys.argv[1:5]
    raise_file_limit()
    collect_rarely()

    async def run() -> dict[str, Any]:
        start = time.monotonic()
        found = await observe_calls(way, url, int(number), int(seconds))
        return {**found, "seconds": time.monotonic() - start}

    sys.stdout.write(json.dumps(asyncio.run(run())) + "\n")


if __name__ == "__main__":
    main()
