"""All contenders under the same loads, in alternating rounds; and again from a distance."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from bench.contenders.servers import (
    LATENCY,
    LIMITS_ON,
    Backend,
    Contender,
    Log,
    article,
    backend,
    broker,
    nginx,
    nginx_missing,
)
from bench.harness.distance import ROUND_TRIP, Distance, distant, measure_round_trip, unavailable
from bench.harness.fake_endpoint import SDP
from bench.harness.load import Load
from bench.harness.processes import python_module, resource_usage, run_for_json
from bench.report.stats import medians

CALLERS = (1, 64, 256)
KINDS = ("token", "connect")
ALONE, AFAR = 9, 6
"""Requests that one caller sends in a round, which are much alike."""
SETTLE_SECONDS = 1.0
MS = timedelta(milliseconds=1)
STEADY_ROUNDS = 2
"""Rounds in which the endpoint's latency is the limit, up to 64 callers: they are much alike."""
Rounds = dict[tuple[str, str], list[dict[str, Any]]]
"""What came of each round, by contender and load ("token 64")."""


async def send_load(load: Load) -> dict[str, Any]:
    """Sends one load, from a process of its own."""
    limit = timedelta(seconds=load.seconds + load.patience + 20)
    return await run_for_json(python_module("bench.harness.load", load.json()), limit=limit)


async def measure_load(contender: Contender, load: Load) -> dict[str, Any]:
    """One load against one contender: what the callers saw, and what it cost the server."""
    before = resource_usage(contender.pid)
    found = await send_load(load)
    after = resource_usage(contender.pid)
    cpu = after.cpu_since(before)
    if cpu is not None:
        found["cpu_ms"] = cpu * 1000 / max(1, found["answers"])
    found["memory_mib"] = after.memory
    found["load_average"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    good = sum(found["statuses"].get(status, 0) for status in ("200", "201"))
    found["refused"] = sum(found["statuses"].values()) - good
    return found


def describe(found: Mapping[str, Any]) -> str:
    """A measured load, as a part of a progress line."""
    return (
        f"{found['per_second']:7.1f}/s  p50 {found['p50_ms']:7.1f} ms  "
        f"p99 {found['p99_ms']:7.1f} ms  CPU {found.get('cpu_ms', 0):5.2f} ms"
    )


@dataclass(frozen=True, slots=True)
class Field:
    """All contenders, running. `skipped` says why nginx is missing."""

    behind: Backend
    contenders: Sequence[Contender]
    skipped: str


@asynccontextmanager
async def running_field(distance: Distance | None = None) -> AsyncIterator[Field]:
    """All contenders, started and warmed up."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        behind = await enter(backend(distance=distance))
        limited = behind.broker_settings(**LIMITS_ON)
        contenders = [
            await enter(article(behind)),
            await enter(broker(behind.broker_settings())),
            await enter(broker(limited, "broker, limits on", spread=True)),
        ]
        skipped = nginx_missing()
        if not skipped:
            contenders.append(await enter(nginx(behind)))
        for contender in contenders:
            for load in contender.loads.values():
                await send_load(replace(load, callers=4, count=8, seconds=10))
        yield Field(behind, contenders, skipped)


async def run(log: Log, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Every contender under every load; medians over the rounds, `added_ms` above the latency."""
    seen: Rounds = {}
    async with running_field() as field:
        if field.skipped:
            log(f"  skipped: {field.skipped}")
        ceiling = await measure_ceiling(field.behind, seconds)
        log(f"  the endpoint alone answers {ceiling['per_second']:.0f}/s to 256 callers")
        for number in range(rounds):
            for callers, kind, contender, load in loads_of_round(field.contenders, seconds, number):
                found = await measure_load(contender, load)
                seen.setdefault((contender.name, f"{kind} {callers}"), []).append(found)
                log(
                    f"  {number + 1}/{rounds} {contender.name:<18} /{kind:<8}{callers:>4} callers  "
                    + describe(found)
                )
    return {
        "latency_ms": LATENCY / MS,
        "ceiling": ceiling,
        "skipped": field.skipped,
        "sides": medians_by_load(seen),
    }


def loads_of_round(
    contenders: Sequence[Contender], seconds: float, number: int
) -> Iterator[tuple[int, str, Contender, Load]]:
    """The number of callers, the kind of request, the contender, and the load."""
    for callers in CALLERS if number < STEADY_ROUNDS else CALLERS[-1:]:
        for kind in KINDS:
            for contender in contenders:
                load = contender.loads[kind]
                if contender.slow and (number > 0 or callers == CALLERS[-1]):
                    # A tenth of the others' requests, or less: one round says it, and what keeps
                    # 64 callers waiting keeps more of them waiting longer.
                    continue
                if callers == 1:
                    load = replace(load, count=ALONE, seconds=20)
                elif contender.slow:
                    load = replace(load, callers=callers, seconds=seconds, every_caller=True)
                else:
                    load = replace(load, callers=callers, seconds=seconds, settle=SETTLE_SECONDS)
                yield callers, kind, contender, load


async def run_afar(log: Log, *, rounds: int) -> dict[str, Any]:
    """One caller at a time, the endpoint a round trip away; `skipped` where that is impossible."""
    if reason := unavailable():
        log(f"  skipped: {reason}")
        return {"skipped": reason}
    seen: Rounds = {}
    async with distant(ROUND_TRIP) as distance, running_field(distance) as field:
        round_trip = measure_round_trip(urlsplit(field.behind.url).port or 443)
        log(f"  a round trip takes {round_trip / MS:.1f} ms")
        for number in range(rounds):
            for kind in KINDS:
                for contender in field.contenders:
                    if contender.slow and number > 0:
                        continue
                    load = replace(contender.loads[kind], count=AFAR, seconds=20)
                    found = await measure_load(contender, load)
                    seen.setdefault((contender.name, f"{kind} 1"), []).append(found)
                    log(f"  {number + 1}/{rounds} {contender.name:<18} /{kind:<8}{describe(found)}")
    return {
        "round_trip_ms": round_trip / MS,
        "latency_ms": LATENCY / MS,
        "skipped": "",
        "sides": medians_by_load(seen),
    }


async def measure_ceiling(behind: Backend, seconds: float) -> dict[str, Any]:
    """What the endpoint and the load generator can do together, with nothing in between."""
    load = Load(
        f"{behind.url}/openai/v1/realtime/calls",
        body=SDP,
        callers=CALLERS[-1],
        seconds=seconds,
        settle=SETTLE_SECONDS,
        certificate=str(behind.trusted),
    )
    return await send_load(load)


def medians_by_load(seen: Rounds) -> dict[str, dict[str, dict[str, Any]]]:
    """By contender and load."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (name, load), each in seen.items():
        merged = medians(each)
        merged["added_p50_ms"] = merged["p50_ms"] - LATENCY / MS
        merged["added_p99_ms"] = merged["p99_ms"] - LATENCY / MS
        merged["rounds"] = len(each)
        found.setdefault(name, {})[load] = merged
    return found
