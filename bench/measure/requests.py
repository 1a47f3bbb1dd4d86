"""The sides under the same loads, in rounds that take turns; and again from a distance."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.contenders.sides import (
    LATENCY,
    Say,
    Side,
    article,
    broker,
    broker_settings,
    endpoint,
    identity,
    nginx_missing,
    proxy,
)
from bench.harness.fake_endpoint import SDP
from bench.harness.load import Load
from bench.harness.processes import module, told, weigh
from bench.measure.distance import Distance, distant, measured_round_trip, missing
from bench.report.stats import middle

CROWDS = (64, 256)
SETTLE = 1.0
ROUND_TRIP = timedelta(milliseconds=20)


async def send(load: Load) -> dict[str, Any]:
    """One load, by a generator of its own."""
    within = load.seconds + load.patience + 20
    return dict(json.loads(await told(module("bench.harness.load", load.json()), within=within)))


async def measured(side: Side, load: Load) -> dict[str, Any]:
    """One load against one side: what the callers saw, and what it cost the server."""
    before = weigh(side.process)
    seen = await send(load)
    after = weigh(side.process)
    if before.cpu is not None and after.cpu is not None:
        seen["cpu_ms"] = (after.cpu - before.cpu) * 1000 / max(1, seen["answers"])
    seen["memory_mib"] = after.memory
    seen["load_average"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    bad = {status: n for status, n in seen["statuses"].items() if status not in ("200", "201")}
    seen["refused"] = sum(bad.values())
    return seen


@dataclass(frozen=True, slots=True)
class Field:
    """Every side, running, in front of one endpoint. `skipped` says why the floor is not there."""

    url: str
    believed: Path
    sides: Sequence[Side]
    skipped: str


@asynccontextmanager
async def field(distance: Distance | None = None) -> AsyncIterator[Field]:
    """All sides, started; warm is what is warmed while nobody waits."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with AsyncExitStack() as stack:
            enter, folder = stack.enter_async_context, Path(name)
            url, believed = await enter(endpoint(folder, LATENCY, distance))
            trust = {"REQUESTS_CA_BUNDLE": str(believed), **await enter(identity())}
            off = {**broker_settings(url), **trust}
            on = {
                **off,
                "CALLER_TRUSTED_PROXIES": "1",
                "LIMIT_STARTS_PER_MINUTE": "6",
                "LIMIT_LIVE_CALLS": "2",
            }
            sides = [
                await enter(article({"REALTIME_ENDPOINT": url, **trust})),
                await enter(broker("broker", off, spread=False)),
                await enter(broker("broker, limits on", on, spread=True)),
            ]
            skipped = nginx_missing()
            if not skipped:
                sides.append(await enter(proxy(url, folder, believed)))
            for side in sides:
                for load in side.loads.values():
                    await send(replace(load, callers=4, count=8, seconds=10))
            yield Field(url, believed, sides, skipped)


async def run(say: Say, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Every side under every load; medians over the rounds, `added_ms` above the latency."""
    async with field() as here:
        if here.skipped:
            say(f"  the floor is skipped: {here.skipped}")
        ceiling = await ceilings(here.url, here.believed, seconds)
        say(f"  the endpoint alone answers {ceiling['per_second']:.0f}/s to 256 callers")
        found = await all_rounds(here.sides, say, rounds, seconds)
    return {
        "latency_ms": LATENCY * 1000,
        "ceiling": ceiling,
        "skipped": here.skipped,
        "sides": found,
    }


async def run_afar(say: Say, *, rounds: int) -> dict[str, Any]:
    """One caller at a time, the endpoint a round trip away; `skipped` where that cannot be."""
    if reason := missing():
        say(f"  skipped: {reason}")
        return {"skipped": reason}
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    async with distant(ROUND_TRIP) as distance, field(distance) as there:
        port = urlsplit(there.url).port or 443
        true = await asyncio.to_thread(measured_round_trip, port)
        say(f"  a round trip takes {true.total_seconds() * 1000:.1f} ms")
        for number in range(rounds):
            for what in ("token", "connect"):
                for side in there.sides:
                    came = await measured(side, replace(side.loads[what], count=15, seconds=20))
                    seen.setdefault((side.name, f"{what} 1"), []).append(came)
                    say(
                        f"  {number + 1}/{rounds} {side.name:<18} /{what:<8} "
                        f"p50 {came['p50_ms']:7.1f} ms"
                    )
    return {
        "round_trip_ms": true.total_seconds() * 1000,
        "latency_ms": LATENCY * 1000,
        "skipped": "",
        "sides": gathered(seen),
    }


async def ceilings(url: str, believed: Path, seconds: float) -> dict[str, Any]:
    """What the stand-in and the load generator can do together, with nothing in between."""
    load = Load(
        f"{url}/openai/v1/realtime/calls",
        body=SDP.decode(),
        callers=256,
        seconds=seconds,
        settle=SETTLE,
        certificate=str(believed),
    )
    return await send(load)


async def all_rounds(
    sides: Sequence[Side], say: Say, rounds: int, seconds: float
) -> dict[str, dict[str, dict[str, Any]]]:
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(rounds):
        for callers in (1, *CROWDS):
            for what in ("token", "connect"):
                for side in sides:
                    load = side.loads[what]
                    if callers == 1:
                        load = replace(load, count=15, seconds=20)
                    elif side.slow:
                        # At 256 callers it takes a caller half a minute to get an answer: once.
                        if callers == CROWDS[-1] and number:
                            continue
                        load = replace(load, callers=callers, seconds=seconds, every_caller=True)
                    else:
                        load = replace(load, callers=callers, seconds=seconds, settle=SETTLE)
                    began = time.monotonic()
                    came = await measured(side, load)
                    seen.setdefault((side.name, f"{what} {callers}"), []).append(came)
                    say(
                        f"  {number + 1}/{rounds} {side.name:<18} /{what:<8}{callers:>4} callers  "
                        f"{came['per_second']:7.1f}/s  p50 {came['p50_ms']:7.1f} ms  "
                        f"p99 {came['p99_ms']:7.1f} ms  ({time.monotonic() - began:.0f} s)"
                    )
    return gathered(seen)


def gathered(
    seen: Mapping[tuple[str, str], Sequence[dict[str, Any]]],
) -> dict[str, dict[str, dict[str, Any]]]:
    """Medians by side and load."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (side_name, what), each in seen.items():
        merged = middle(each)
        merged["added_p50_ms"] = merged["p50_ms"] - LATENCY * 1000
        merged["added_p99_ms"] = merged["p99_ms"] - LATENCY * 1000
        merged["rounds"] = len(each)
        found.setdefault(side_name, {})[what] = merged
    return found


def main() -> None:
    def say(text: str) -> None:
        print(text, file=sys.stderr)

    print(json.dumps(asyncio.run(run(say, rounds=1, seconds=4))))


if __name__ == "__main__":
    main()
