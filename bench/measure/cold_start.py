"""Cold start: importing the app, beside importing azure.functions, and the first requests.

Every import runs in a Python of its own, the kinds taking turns; the median counts. The first
requests go to a fresh process, with the endpoint answering after its usual latency and the public
authorities trusted as in Azure: once as soon as it listens, and once a second after that. The two
trips alone, handshake included, are measured beside them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from bench.contenders.servers import LATENCY, Contender, Log, article, backend, broker
from bench.harness.load import LoadGenerator
from bench.harness.processes import python_module, run_for_json
from bench.harness.tls import add_public_authorities
from bench.measure.requests import MS
from bench.report.stats import medians, ratio

IMPORTS = ("json", "azure.functions", "function_app")
FIRST_ROUNDS = 3
FLOOR, AT_ONCE, LATER = "floor", "broker", "broker, a second later"
LATER_SECONDS = 1.0
Server = AbstractAsyncContextManager[Contender]
PROGRAM = """
import json, sys, time
began = time.perf_counter()
import {name}
took = time.perf_counter() - began
try:
    status = open("/proc/self/status").read()
    memory = int(status.partition("VmRSS:")[2].split()[0]) / 1024
except OSError:
    memory = None
print(json.dumps({{"ms": took * 1000, "memory_mib": memory}}))
"""


async def run(log: Log, *, rounds: int) -> dict[str, Any]:
    """Medians over `rounds` imports of each kind, and over three starts of each server."""
    await asyncio.gather(*(measure_import(name) for name in IMPORTS))  # compiles the byte code
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in IMPORTS}
    for _ in range(rounds):
        for name in IMPORTS:
            seen[name].append(await measure_import(name))
    imports = {name: medians(each) for name, each in seen.items()}
    share = ratio(imports["function_app"]["ms"], imports["azure.functions"]["ms"])
    log(
        f"  importing: azure.functions {imports['azure.functions']['ms']:.0f} ms, "
        f"function_app {imports['function_app']['ms']:.0f} ms: {share:.2f}"
    )
    first = [await first_requests(log, number) for number in range(FIRST_ROUNDS)]
    return {
        "latency_ms": LATENCY / MS,
        "imports": imports,
        "import_ratio": share,
        "first": {name: medians([one[name] for one in first]) for name in first[0]},
    }


async def measure_import(name: str) -> dict[str, Any]:
    return await run_for_json((sys.executable, "-c", PROGRAM.format(name=name)))


async def first_requests(log: Log, number: int) -> dict[str, Any]:
    """From the start of a process to its first two answers, each server in a process of its own;
    and the two trips alone."""
    found: dict[str, Any] = {}
    async with backend() as behind:
        trusted = add_public_authorities(behind.trusted)
        settings = behind.broker_settings(REQUESTS_CA_BUNDLE=str(trusted))
        program = python_module("bench.harness.two_trips", behind.url, str(trusted))
        found[FLOOR] = await run_for_json(program)
        waiting = {AT_ONCE: 0.0, LATER: LATER_SECONDS}
        names = sorted(waiting, reverse=bool(number % 2))
        servers = [(name, broker(settings, name), waiting[name]) for name in names]
        for name, server, seconds in (("article", article(behind), 0.0), *servers):
            found[name] = await first_answers(server, seconds)
            log(f"  {name:<20} " + ", ".join(f"{k} {v:.0f}" for k, v in found[name].items()))
    return found


async def first_answers(server: Server, seconds: float) -> dict[str, float]:
    """Two requests, one after the other, to a server that has just been started: the first as soon
    as it listens, or `seconds` later. `answered_ms` is since the start of its process, without
    those."""
    start = time.perf_counter()
    async with server as contender:
        ready = time.perf_counter()
        load = replace(contender.loads["connect"], count=1, seconds=30)
        await asyncio.sleep(seconds)
        # From this process: one that had to be started would give the server time to get warm.
        first, second = [(await LoadGenerator(load).run())["p50_ms"] for _ in range(2)]
    ready_ms = (ready - start) * 1000
    return {
        "ready_ms": ready_ms,
        "first_connect_ms": first,
        "second_connect_ms": second,
        "answered_ms": ready_ms + first,
    }
