"""Memory over many requests. Pure."""

from __future__ import annotations

from bench.report.chart import Bar, bars
from bench.report.figures import Figure
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import ratio


@block("growth")
def growth(found: Found) -> str | None:
    one = found["growth"]
    if one["grown_mib"] is None:
        return None
    parts = ", ".join(f"{size:.1f}" for size in one["memory_mib"])
    return (
        f"{one['requests']:,} requests to `/token`, after 2,000 to warm up: "
        f"{one['grown_mib']:+.1f} MiB ({parts} MiB, before the first fifth and after each)."
    )


@figures("growth")
def growth_ratio(found: Found) -> list[Figure]:
    sizes = found["growth"]["memory_mib"]
    name = "memory after all requests to /token, relative to before"
    return [Figure(name, ratio(sizes[-1], sizes[0]), "less")]


@picture("bench-growth.svg", "growth")
def growth_picture(found: Found) -> str | None:
    one = found["growth"]
    if one["grown_mib"] is None:
        return None
    part = one["requests"] // (len(one["memory_mib"]) - 1)
    drawn = [
        Bar("", f"{number * part:,}" if number else "warm", size)
        for number, size in enumerate(one["memory_mib"])
    ]
    note = "by the number of requests to /token"
    return bars("Memory of the broker", "MiB", drawn, note=note)
