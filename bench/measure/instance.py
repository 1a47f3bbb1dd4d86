"""What one instance can take: the measurements that its settings were chosen by (docs/scale.md).

    how many starts at once       HTTP_CONCURRENCY          p50, p99 and processor time by callers
    how many threads for them     shared/api/http.py, POOL      the same, by the size of the pool
    how much memory               INSTANCE_MEMORY_MB        of the process: cold, warm, loaded

Starts here do all that they do in Azure, limits and storage included; the storage is Azurite, which
costs processor time of its own on the same machine, so of the times only the ratios count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contenders.sides import Say, Side, broker_settings, endpoint, identity, loads_of
from bench.harness.processes import module, server, weigh
from bench.measure.requests import measured, send
from bench.report.stats import middle
from bench.report.svg import Bar, bars
from tests.support.azurite import NoAzurite, start_azurite, stop

CALLERS = (1, 4, 8, 16, 32)
THREADS = (16, 64, 256)
AT = 64
"""So many callers at once while the size of the thread pool is changed."""
SETTLE = 1.0


@asynccontextmanager
async def instance(settings: Mapping[str, str], threads: int) -> AsyncIterator[Side]:
    """The broker on the local host with `threads` in its pool."""
    command = module("bench.measure.instance", str(threads))
    async with server(f"{threads} threads", command, settings) as (url, child):
        yield Side(f"{threads} threads", loads_of(url, spread=True), child.process.pid)


async def run(say: Say, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over `rounds`, by callers and by threads; `skipped` where there is no Azurite."""
    try:
        azurite, process = start_azurite()
    except NoAzurite as reason:
        say(f"  skipped: {reason}")
        return {"skipped": str(reason)}
    seen: dict[str, dict[int, list[dict[str, Any]]]] = {"callers": {}, "threads": {}}
    try:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            url, believed = await enter(endpoint(folder))
            settings = {
                **broker_settings(url),
                **await enter(identity()),
                "REQUESTS_CA_BUNDLE": str(believed),
                "AzureWebJobsStorage": azurite.connection,
                "CALLER_TRUSTED_PROXIES": "1",
                "LIMIT_STARTS_PER_MINUTE": "6",
                "LIMIT_LIVE_CALLS": "2",
            }
            sides = {number: await enter(instance(settings, number)) for number in THREADS}
            memory: dict[str, float | None] = {"started": weigh(sides[256].process).memory}
            for side in sides.values():
                await send(replace(side.loads["connect"], callers=4, count=8, seconds=20))
            memory["warm"] = weigh(sides[256].process).memory
            for _ in range(rounds):
                for callers in CALLERS:
                    came = await one(say, sides[256], callers, seconds)
                    seen["callers"].setdefault(callers, []).append(came)
                for number, side in sides.items():
                    came = await one(say, side, AT, seconds)
                    seen["threads"].setdefault(number, []).append(came)
            memory["after the load"] = weigh(sides[256].process).memory
    finally:
        stop(process)
    medians = {
        what: {str(number): middle(each) for number, each in found.items()}
        for what, found in seen.items()
    }
    return {"skipped": "", "memory_mib": memory, **medians}


async def one(say: Say, side: Side, callers: int, seconds: float) -> dict[str, Any]:
    load = replace(side.loads["connect"], callers=callers, seconds=seconds, settle=SETTLE)
    came = await measured(side, load)
    say(
        f"  {side.name:<12} {callers:>3} callers  {came['per_second']:6.1f}/s  "
        f"p50 {came['p50_ms']:6.1f} ms  p99 {came['p99_ms']:6.1f} ms  "
        f"CPU {came.get('cpu_ms', 0):5.2f} ms"
    )
    return came


def shown(found: Mapping[str, Any]) -> list[str]:
    """The lines of a table."""
    if found["skipped"]:
        return [f"one instance was not measured: {found['skipped']}"]
    lines = ["", "one instance, all of a start with storage on Azurite"]
    for what, of in found.items():
        if what in ("callers", "threads"):
            lines += [
                f"  {number:>3} {what}  {one['per_second']:6.1f}/s  p50 {one['p50_ms']:6.1f} ms  "
                f"p99 {one['p99_ms']:6.1f} ms  CPU {one.get('cpu_ms', 0):5.2f} ms"
                for number, one in of.items()
            ]
    memory = ", ".join(
        f"{when} {size:.0f}" for when, size in found["memory_mib"].items() if size is not None
    )
    return [*lines, f"  memory, MiB: {memory}"]


def drawn(found: Mapping[str, Any]) -> dict[str, str]:
    """The pictures: what more callers at once do to an answer's time, and to an instance's work."""
    if found["skipped"]:
        return {}
    callers = found["callers"].items()
    bars_of = [
        Bar(title, f"{number} at once", one[name])
        for title, name in (("median time to an answer, ms", "p50_ms"), ("a second", "per_second"))
        for number, one in callers
    ]
    note = "limits and storage as in Azure, with Azurite on the same two cores"
    return {"bench-instance.svg": bars("Starts at once in one instance", "", bars_of, note=note)}


def host(threads: int) -> int:
    """Serves the app with another number of threads than it chooses for itself."""
    from local.host.__main__ import main
    from shared.api import http

    http.POOL = ThreadPoolExecutor(threads, thread_name_prefix="broker")
    options = ("--port", "0", "--exit-with-parent", "--without-local-settings", "--log", "warning")
    return main(options)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from local.common.server import finish

        finish(host(int(sys.argv[1])))
    print(json.dumps(asyncio.run(run(lambda t: print(t, file=sys.stderr), rounds=1, seconds=4))))
