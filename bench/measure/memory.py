"""Whether the broker's memory grows: many keys, one after another, at short latency."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contenders.sides import Say, broker, broker_settings, endpoint, identity
from bench.harness.processes import weigh
from bench.measure.requests import send
from bench.report.svg import Bar, bars

LATENCY = 0.005
CALLERS = 32
PARTS = 5
PATIENCE = 300.0


async def run(say: Say, *, requests: int) -> dict[str, Any]:
    """`requests` of /token in parts; the memory after each, in MiB.

    A call's record is kept in storage, which here is this memory, so calls would grow by design.
    """
    memory: list[float | None] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with AsyncExitStack() as stack:
            url, believed = await stack.enter_async_context(endpoint(Path(folder), LATENCY))
            proof = await stack.enter_async_context(identity())
            settings = {**broker_settings(url), **proof, "REQUESTS_CA_BUNDLE": str(believed)}
            side = await stack.enter_async_context(broker("broker", settings, spread=False))
            load = replace(side.loads["token"], callers=CALLERS, seconds=PATIENCE)
            await send(replace(load, count=2000))
            memory.append(weigh(side.process).memory)
            answers = refused = 0
            for _ in range(PARTS):
                came = await send(replace(load, count=requests // PARTS))
                answers += came["answers"]
                refused += came["answers"] - came["statuses"].get("200", 0)
                memory.append(weigh(side.process).memory)
                shown = "not measured" if memory[-1] is None else f"{memory[-1]:.1f} MiB"
                say(f"  {answers} requests: {shown}")
    first, last = memory[0], memory[-1]
    grown = None if first is None or last is None else last - first
    return {"requests": answers, "refused": refused, "memory_mib": memory, "grown_mib": grown}


def drawn(found: Mapping[str, Any]) -> dict[str, str]:
    """The picture: memory after each part."""
    if found["grown_mib"] is None:
        return {}
    part = found["requests"] // PARTS
    bars_of = [
        Bar("", f"{number * part:,}" if number else "warm", size)
        for number, size in enumerate(found["memory_mib"])
    ]
    note = "after so many requests to /token"
    return {"bench-growth.svg": bars("Memory of the broker", "MiB", bars_of, note=note)}


if __name__ == "__main__":
    say = lambda text: print(text, file=sys.stderr)  # noqa: E731
    print(json.dumps(asyncio.run(run(say, requests=20_000))))
