"""What one instance can take: the measurements that its settings were chosen by (docs/scale.md).

    how many starts at once      HTTP_CONCURRENCY            p50, p99 and processor time by callers
    how many threads for them    shared/api/bulkheads.py    the same, by the size of the pool
    how much memory              INSTANCE_MEMORY_MB          of the process: cold, warm, loaded

Starts here do all that they do in Azure, limits and storage included. The storage says yes to
everything (bench/harness/fake_storage.py): Azurite takes more processor time for a start than the
broker, on the same cores, and would be what is measured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from bench.contenders.servers import LIMITS_ON, Contender, Log, backend, broker_loads
from bench.harness.fake_storage import connection_string
from bench.harness.processes import python_module, resource_usage, running_server
from bench.measure.requests import SETTLE_SECONDS, describe, measure_load, send_load
from bench.report.stats import medians

CALLERS = (1, 8, 16, 32)
THREADS = (16, 64, 256)
USUAL_THREADS = 256
CALLERS_BY_THREADS = 64
"""So many callers at once while the size of the thread pool is changed."""


async def run(log: Log, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over `rounds`, by callers and by threads."""
    seen: dict[str, dict[int, list[dict[str, Any]]]] = {
        "callers": {number: [] for number in CALLERS},
        "threads": {number: [] for number in THREADS},
    }
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(backend())
        account = python_module("bench.harness.fake_storage")
        url, _ = await stack.enter_async_context(running_server("storage", account))
        storage = {"AzureWebJobsStorage": connection_string(url)}
        settings = behind.broker_settings(**LIMITS_ON, **storage)
        instances = {
            number: await stack.enter_async_context(instance(settings, number))
            for number in THREADS
        }
        usual = instances[USUAL_THREADS]
        memory = {"started": resource_usage(usual.pid).memory}
        for each in instances.values():
            await send_load(replace(each.loads["connect"], callers=4, count=8, seconds=20))
        memory["warm"] = resource_usage(usual.pid).memory
        for _ in range(rounds):
            for callers in CALLERS:
                seen["callers"][callers].append(await measure(log, usual, callers, seconds))
            for number, each in instances.items():
                found = await measure(log, each, CALLERS_BY_THREADS, seconds)
                seen["threads"][number].append(found)
        memory["after the load"] = resource_usage(usual.pid).memory
    by_number = {
        what: {str(number): medians(found) for number, found in each.items()}
        for what, each in seen.items()
    }
    return {"memory_mib": memory, **by_number}


@asynccontextmanager
async def instance(settings: Mapping[str, str], threads: int) -> AsyncIterator[Contender]:
    """The broker on the local host with `threads` in its pool."""
    name = f"{threads} threads"
    command = python_module("bench.harness.pooled_host", str(threads))
    async with running_server(name, command, settings) as (url, child):
        yield Contender(name, broker_loads(url, spread=True), child.process.pid)


async def measure(log: Log, of: Contender, callers: int, seconds: float) -> dict[str, Any]:
    load = replace(of.loads["connect"], callers=callers, seconds=seconds, settle=SETTLE_SECONDS)
    found = await measure_load(of, load)
    log(f"  {of.name:<12} {callers:>3} callers  {describe(found)}")
    return found
