"""Observers in one process. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure, relative
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import ratio
from bench.report.tables import table
from bench.report.targets import CROWD_GAPS, CROWD_LAG, CROWD_LOST, OBSERVED_CPU, OBSERVED_MEMORY

NAMES = ("memory_kib_a_call", "cpu_ms_a_call", "lag_p99_ms", "lag_max_ms")


@block("observers")
def observers(found: Found) -> str:
    one = found["observers"]
    ways = (
        (f"the broker, {one['calls']} calls", one["ours"]),
        (f"a thread per call, {one['calls']} calls", one["threads"]),
    )
    rows = [(name, *(each.get(figure) for figure in NAMES)) for name, each in ways]
    compared = [ratio(one["ours"].get(name), one["threads"].get(name)) for name in NAMES[:2]]
    head = ("", "KiB per call", "CPU ms per call", "loop lag p99 ms", "longest ms")
    rows.append(("ratio", *compared, None, None))
    if crowd := one.get("crowd"):
        rows.append((f"the broker, {crowd['calls']:,} calls", *(crowd.get(each) for each in NAMES)))
    told = f"{one['lost']} calls lost anything"
    if "false_gaps" in one:
        told += f"; the records of {one['false_gaps']} state a gap that is none"
    return f"{table(head, rows)}\n\n{told}."


@figures("observers")
def observer_ratios(found: Found) -> list[Figure]:
    one = found["observers"]
    told = (OBSERVED_MEMORY, OBSERVED_CPU)
    return [
        *(
            relative(what, "less", one["ours"], one["threads"], figure)
            for what, figure in zip(told, NAMES, strict=False)
        ),
        Figure(CROWD_LAG, one.get("crowd", {}).get("lag_p99_ms"), "less", is_ratio=False),
        Figure(CROWD_LOST, one["lost"] if "crowd" in one else None, "less", is_ratio=False),
        Figure(CROWD_GAPS, one.get("false_gaps"), "less", is_ratio=False),
    ]


@picture("bench-observers.svg", "observers")
def observers_picture(found: Found) -> str:
    one = found["observers"]
    ways = {"broker": one["ours"], "thread per call": one["threads"]}
    titles = ("memory per call, KiB", "CPU per call, ms")
    return bars(
        f"{one['calls']} observed calls in one process",
        "",
        [
            Bar(title, name, each.get(figure, 0.0))
            for title, figure in zip(titles, NAMES, strict=False)
            for name, each in ways.items()
        ],
        note=f"{one['events_a_second']:.0f} events a second each, for {one['seconds']:.0f} s",
    )
