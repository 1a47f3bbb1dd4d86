"""What all parts have in common: the machine, the time they took, the targets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.registry import Found, all_figures, block, measured_on
from bench.report.tables import Cell, table
from bench.report.targets import TARGETS


@block()
def machine(found: Found) -> str | None:
    one = found.get("sides", {}).get("machine")
    if one is None:
        return None
    packages = ", ".join(f"{name} {version}" for name, version in one["packages"].items())
    load = one["load_average"]
    return (
        f"{one['system']}, {one['cpu']}, {one['cores']} cores"
        + (f", load average before it {load[0]:.1f}" if load else "")
        + f", Python {one['python']}; {packages}."
    )


@block()
def wanted(found: Found) -> str | None:
    measured = all_figures(found)
    rows: list[Sequence[Cell]] = []
    for name, way, limit in TARGETS:
        value = measured[name].value if name in measured else None
        rows.append((name, f"{way} {limit:g}", verdict(value, way, limit)))
    return table(("ratio", "target", "measured"), rows) if measured else None


def verdict(value: float | None, way: str, limit: float) -> str:
    if value is None:
        return "not measured"
    met = value <= limit if way == "at most" else value >= limit
    return f"{value:.2f}" if met else f"{value:.2f}, **not met**"


@block()
def parts(found: Found) -> str | None:
    """How long each part took."""
    took = {name: part["took_seconds"] for name, part in found.items() if "took_seconds" in part}
    if not took:
        return None
    rows: list[Sequence[Cell]] = [
        (name, f"{seconds:.0f}", measured_on(found[name])) for name, seconds in took.items()
    ]
    without_soak = sum(seconds for name, seconds in took.items() if name != "soak")
    rows.append(("all but the soak", f"{without_soak:.0f}", ""))
    return table(("part", "seconds", "measured on"), rows)
