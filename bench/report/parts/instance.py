"""What one instance can take, and what instances of each size carry. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.chart import Bar, bars
from bench.report.figures import Better, Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.tables import Cell, cell, table

# Flex Consumption's sizes: MB, and cores (docs/scale.md).
SIZES = ((512, 0.25), (2048, 1.0), (4096, 2.0))
FULL_AT, OBSERVED = "16", 100


@block("instance")
def instance(found: Found) -> str:
    one = found["instance"]
    names = ("per_second", "p50_ms", "p99_ms", "cpu_ms")
    rows = [
        (f"{number} at once", "256", *(each.get(name) for name in names))
        for number, each in one["callers"].items()
    ]
    rows += [
        ("64 at once", threads, *(each.get(name) for name in names))
        for threads, each in one["threads"].items()
    ]
    memory = ", ".join(f"{when} {cell(size)} MiB" for when, size in one["memory_mib"].items())
    head = ("starts", "threads", "starts/s", "p50 ms", "p99 ms", "CPU ms")
    return f"{table(head, rows)}\n\nMemory of the process: {memory}."


@figures("instance")
def instance_ratios(found: Found) -> list[Figure]:
    one = found["instance"]
    full, alone = (one["callers"].get(number, {}) for number in (FULL_AT, "1"))
    many, few = (one["threads"].get(number, {}) for number in ("256", "16"))
    more: Better = "more"
    return [
        relative("p50 of a start, 16 at once relative to 1", "less", full, alone, "p50_ms"),
        relative("starts/s, 64 at once, 256 threads relative to 16", more, many, few, "per_second"),
    ]


@figures("instance", "sides")
def price_of_writes(found: Found) -> list[Figure]:
    """Of two parts, so only where one run measured both."""
    start, bare = found["instance"]["callers"].get(FULL_AT, {}), side(found, "connect 64")
    name = "CPU of a start with all it writes, relative to one with storage in memory"
    return [relative(name, "less", start, bare, "cpu_ms")]


def side(found: Found, load: str) -> Mapping[str, Any]:
    of_load: Mapping[str, Any] = found["sides"]["sides"].get("broker, limits on", {}).get(load, {})
    return of_load


@picture("bench-instance.svg", "instance")
def instance_picture(found: Found) -> str:
    titles = (("median response time, ms", "p50_ms"), ("starts per second", "per_second"))
    drawn = [
        Bar(title, f"{number} at once", one[figure])
        for title, figure in titles
        for number, one in found["instance"]["callers"].items()
    ]
    note = "limits and storage as in Azure; the account keeps nothing and answers after 5 ms"
    return bars("Concurrent starts in one instance", "", drawn, note=note)


@block("instance", "observers")
def sizes(found: Found) -> str | None:
    """What instances of each size carry: starts by their processor time, as many at once as then
    overlap, and observed calls by theirs."""
    starts, observers = found["instance"]["callers"], found["observers"]
    if "cpu_ms" not in starts[FULL_AT] or "cpu_ms_a_call" not in observers["ours"]:
        return None
    cores_used = observers["ours"]["cpu_ms_a_call"] / 1000 / observers["seconds"] * OBSERVED
    memory = observers["ours"]["memory_kib_a_call"] / 1024 * OBSERVED
    rows: list[Sequence[Cell]] = []
    for size, cores in SIZES:
        per_second = cores * 1000 / starts[FULL_AT]["cpu_ms"]
        rows.append(
            (
                *(f"{size:,} MB", cores, f"{per_second:.0f}"),
                f"{per_second * starts['1']['p50_ms'] / 1000:.0f}",
                f"{cores_used / cores:.0%} of its processor time, {memory:.0f} MiB",
            )
        )
    head = ("instance", "cores", "starts/s", "of them at once", "100 observed calls take")
    return table(head, rows)
