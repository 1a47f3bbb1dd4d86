"""Memory over many requests and calls. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.chart import Line, lines
from bench.report.figures import Figure
from bench.report.registry import Found, block, figures, picture
from bench.report.stats import last_third
from bench.report.targets import MEMORY_OF_CALLS, MEMORY_OF_REQUESTS


@block("growth")
def growth(found: Found) -> str | None:
    return "\n\n".join(sentence(what, each) for what, each in measured_sizes(found).items()) or None


def sentence(what: str, sizes: Sequence[float]) -> str:
    each = ", ".join(f"{size:.1f}" for size in sizes)
    level = last_third(sizes)
    thirds = f"; the last third has {level:.3f} of the third before it" if level else ""
    return (
        f"{what}: {sizes[-1] - sizes[0]:+.1f} MiB ({each} MiB, when warm and after each of "
        f"{len(sizes) - 1} parts){thirds}."
    )


def measured_sizes(found: Found) -> dict[str, list[float]]:
    """The memory when warm and after each part, by what was sent."""
    one = found["growth"]
    sizes = {f"{one['requests']:,} requests": one["memory_mib"]}
    if calls := one.get("calls"):
        sizes[f"{calls['number']:,} calls"] = calls["memory_mib"]
    return {what: each for what, each in sizes.items() if None not in each}


@figures("growth")
def growth_ratios(found: Found) -> list[Figure]:
    one = found["growth"]
    sizes = {MEMORY_OF_REQUESTS: one["memory_mib"]}
    sizes[MEMORY_OF_CALLS] = one.get("calls", {}).get("memory_mib", ())
    return [Figure(name, last_third(each), "less") for name, each in sizes.items()]


@picture("bench-growth.svg", "growth")
def growth_picture(found: Found) -> str | None:
    sizes = measured_sizes(found)
    if not sizes:
        return None
    drawn = [
        Line(what, each, colour)
        for (what, each), colour in zip(sizes.items(), ("broker", "article"), strict=False)
    ]
    note = "of a process, from when it was warm to the last of them"
    return lines("Memory of the broker", "MiB", drawn, note=note)
