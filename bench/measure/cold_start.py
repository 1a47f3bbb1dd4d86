"""Cold start: what importing the app costs beside importing azure.functions, and a first request.

Every import runs in a Python of its own, the kinds taking turns; the median counts. The first
request goes to a fresh local host, the endpoint answering at the latency given.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contenders.sides import (
    LATENCY,
    Say,
    article,
    broker,
    broker_settings,
    endpoint,
    identity,
)
from bench.harness.processes import told
from bench.measure.requests import send
from bench.report.stats import middle, ratio

IMPORTS = ("json", "azure.functions", "function_app")
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


async def imported(name: str) -> dict[str, Any]:
    return dict(json.loads(await told((sys.executable, "-c", PROGRAM.format(name=name)))))


async def first_requests(say: Say) -> dict[str, Any]:
    """From the start of the process to its first answers: a key, and a call right after."""
    seen: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with AsyncExitStack() as stack:
            url, believed = await stack.enter_async_context(endpoint(Path(folder)))
            proof = await stack.enter_async_context(identity())
            trust = {"REQUESTS_CA_BUNDLE": str(believed), **proof}
            for name, side in (
                ("article", article({"REALTIME_ENDPOINT": url, **trust})),
                ("broker", broker("broker", {**broker_settings(url), **trust}, spread=False)),
            ):
                began = time.perf_counter()
                async with side as ready:
                    up = time.perf_counter()
                    calls = [
                        await send(replace(ready.loads["connect"], count=1, seconds=30))
                        for _ in range(2)
                    ]
                seen[name] = {
                    "ready_ms": (up - began) * 1000,
                    "first_connect_ms": calls[0]["p50_ms"],
                    "second_connect_ms": calls[1]["p50_ms"],
                }
                say(
                    f"  {name:<8} ready after {seen[name]['ready_ms']:.0f} ms, "
                    f"first /connect {calls[0]['p50_ms']:.0f} ms, "
                    f"second {calls[1]['p50_ms']:.0f} ms"
                )
    return seen


async def run(say: Say, *, rounds: int) -> dict[str, Any]:
    """Medians over `rounds` imports of each kind, and the first requests."""
    await asyncio.gather(*(imported(name) for name in IMPORTS))  # the byte code is there
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in IMPORTS}
    for _ in range(rounds):
        for name in IMPORTS:
            seen[name].append(await imported(name))
    imports = {name: middle(each) for name, each in seen.items()}
    share = ratio(imports["function_app"]["ms"], imports["azure.functions"]["ms"])
    say(
        f"  importing: azure.functions {imports['azure.functions']['ms']:.0f} ms, "
        f"function_app {imports['function_app']['ms']:.0f} ms: {share:.2f}"
    )
    first = [await first_requests(say) for _ in range(3)]
    return {
        "latency_ms": LATENCY * 1000,
        "imports": imports,
        "import_ratio": share,
        "first": {name: middle([one[name] for one in first]) for name in first[0]},
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(lambda t: print(t, file=sys.stderr), rounds=7)), indent=1))
