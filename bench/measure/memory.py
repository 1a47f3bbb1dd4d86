"""Whether the broker's memory grows: many keys, one after another, at short latency."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.contenders.servers import Log, backend, broker
from bench.harness.processes import resource_usage
from bench.measure.requests import send_load

LATENCY = timedelta(milliseconds=5)
CALLERS = 32
WARM_UP = 2000
PARTS = 5
LIMIT_SECONDS = 300.0


async def run(log: Log, *, requests: int) -> dict[str, Any]:
    """`requests` of /token in parts; the memory after each, in MiB.

    Not calls: their records are kept in storage, here in the same memory, which then grows by
    design.
    """
    async with backend(LATENCY) as behind, broker(behind.broker_settings()) as contender:
        load = replace(contender.loads["token"], callers=CALLERS, seconds=LIMIT_SECONDS)
        await send_load(replace(load, count=WARM_UP))
        memory = [resource_usage(contender.pid).memory]
        answers = refused = 0
        for _ in range(PARTS):
            found = await send_load(replace(load, count=requests // PARTS))
            answers += found["answers"]
            refused += found["answers"] - found["statuses"].get("200", 0)
            memory.append(resource_usage(contender.pid).memory)
            size = "not measured" if memory[-1] is None else f"{memory[-1]:.1f} MiB"
            log(f"  {answers} requests: {size}")
    first, last = memory[0], memory[-1]
    grown = None if first is None or last is None else last - first
    return {"requests": answers, "refused": refused, "memory_mib": memory, "grown_mib": grown}
