"""Cold start: importing the app, beside importing azure.functions, and the first requests.

Every import runs in a Python of its own, the kinds taking turns; the median counts. The first
requests go to a fresh process, with the endpoint answering after its usual latency.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from typing import Any

from bench.contenders.servers import LATENCY, Log, article, backend, broker
from bench.harness.processes import run_for_json
from bench.measure.requests import MS, send_load
from bench.report.stats import medians, ratio

IMPORTS = ("json", "azure.functions", "function_app")
FIRST_ROUNDS = 3
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
    first = [await first_requests(log) for _ in range(FIRST_ROUNDS)]
    return {
        "latency_ms": LATENCY / MS,
        "imports": imports,
        "import_ratio": share,
        "first": {name: medians([one[name] for one in first]) for name in first[0]},
    }


async def measure_import(name: str) -> dict[str, Any]:
    return await run_for_json((sys.executable, "-c", PROGRAM.format(name=name)))


async def first_requests(log: Log) -> dict[str, Any]:
    """From the start of a process to its first two answers."""
    found: dict[str, Any] = {}
    async with backend() as behind:
        for server in (article(behind), broker(behind.broker_settings())):
            start = time.perf_counter()
            async with server as contender:
                ready_ms = (time.perf_counter() - start) * 1000
                load = replace(contender.loads["connect"], count=1, seconds=30)
                first, second = [(await send_load(load))["p50_ms"] for _ in range(2)]
            found[contender.name] = {
                "ready_ms": ready_ms,
                "first_connect_ms": first,
                "second_connect_ms": second,
            }
            log(
                f"  {contender.name:<8} ready after {ready_ms:.0f} ms, "
                f"first /connect {first:.0f} ms, second {second:.0f} ms"
            )
    return found
