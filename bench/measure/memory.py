"""Whether the broker's memory grows: over many requests, and over many calls with their records.

Two processes at once, because memory does not depend on time: one answers requests, the other has
calls that are started, asked for and hung up. Each request and each call is another caller's. What
an account would keep is forgotten (bench/harness/bounded_host.py), so nothing may grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bench.contenders.servers import LIMITS_ON, Backend, Log, backend, broker_loads
from bench.harness.processes import (
    python_module,
    resource_usage,
    run_for_json,
    running_server,
)
from bench.measure.requests import send_load

LATENCY = timedelta(milliseconds=1)
CALLERS = 32
WARM_UP_CALLERS = 128
"""More at once than later, so that all threads that will be needed are there: each takes some tens
of KiB when it is first used."""
PARTS = 10
KEYS = 0.2
"""The share of requests for a key; the others ask whether the caller may start calls, as a page
does when it is opened."""
LIMIT = timedelta(seconds=300)
SendPart = Callable[[int, int, int], Awaitable[int]]
"""Sends from so many callers at once that many, from that number on; gives how many requests were
not answered as they should be."""


@dataclass(frozen=True, slots=True)
class Host:
    """A broker whose storage does not grow."""

    url: str
    pid: int


async def run(log: Log, *, requests: int, calls: int) -> dict[str, Any]:
    """The memory in MiB when warm, and after each of ten parts of the requests and of the calls."""
    async with (
        backend(LATENCY) as behind,
        bounded_host(behind) as answering,
        bounded_host(behind) as calling,
    ):
        of_requests, of_calls = await asyncio.gather(
            measure_growth(log, "requests", answering, requests, send_requests(answering)),
            measure_growth(log, "calls", calling, calls, have_calls(calling)),
        )
    return {"requests": requests, **of_requests, "calls": {"number": calls, **of_calls}}


@asynccontextmanager
async def bounded_host(behind: Backend) -> AsyncIterator[Host]:
    command = python_module("bench.harness.bounded_host")
    settings = behind.broker_settings(**LIMITS_ON)
    async with running_server("broker", command, settings) as (url, child):
        yield Host(url, child.process.pid)


async def measure_growth(
    log: Log, name: str, host: Host, number: int, send: SendPart
) -> dict[str, Any]:
    part = number // PARTS
    refused, memory = await send(WARM_UP_CALLERS, part, 0), []
    for done in range(PARTS + 1):
        if done:
            refused += await send(CALLERS, part, done * part)
        memory.append(resource_usage(host.pid).memory)
        size = "not measured" if memory[-1] is None else f"{memory[-1]:.1f} MiB"
        log(f"  {done * part:>7,} {name}: {size}")
    first, last = memory[0], memory[-1]
    grown = None if first is None or last is None else last - first
    return {"refused": refused, "memory_mib": memory, "grown_mib": grown}


def send_requests(host: Host) -> SendPart:
    keys = replace(broker_loads(host.url, spread=True)["token"], seconds=LIMIT.total_seconds())
    checks = replace(keys, url=f"{host.url}/api/connect")

    async def send(callers: int, count: int, _: int) -> int:
        refused, asked = 0, round(KEYS * count)
        for load, number, expected in ((keys, asked, "200"), (checks, count - asked, "204")):
            found = await send_load(replace(load, callers=callers, count=number))
            refused += number - int(found["statuses"].get(expected, 0))
        return refused

    return send


def have_calls(host: Host) -> SendPart:
    async def send(callers: int, count: int, first: int) -> int:
        numbers = map(str, (callers, count, first))
        program = python_module("bench.harness.whole_calls", host.url, *numbers)
        found: dict[str, int] = (await run_for_json(program, limit=LIMIT))["statuses"]
        good = ("start 201", "status 200", "hang up 204")
        return 3 * count - sum(found.get(each, 0) for each in good)

    return send
