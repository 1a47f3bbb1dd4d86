"""What got better or worse since the last recorded run. Pure.

Only ratios are compared: what a machine does in a second says nothing of another machine, nor of
the same one on another day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.report.figures import Figure
from bench.report.registry import Found, all_figures, measured, measured_on
from bench.report.tables import Cell, table

Verdict = Literal["worse", "better", "same", "new", "gone"]
VERDICTS: tuple[Verdict, ...] = ("worse", "better", "new", "gone", "same")
"""In the order in which they are shown."""
UNKNOWN_SPREAD, UNKNOWN_LEAST = 0.1, 0.05
"""By how much rounds may differ that were not kept, or of which there was one: a share of the value
or, if that is more, so much."""
LEAST = 0.02
"""A difference below this is none; also as a share of the recorded value."""


@dataclass(frozen=True, slots=True)
class Change:
    """One ratio, now and as recorded."""

    now: Figure
    before: Figure

    @property
    def verdict(self) -> Verdict:
        """Better or worse only where the rounds of one run are all beyond those of the other."""
        now, before = self.now.value, self.before.value
        if before is None or now is None:
            return "new" if before is None else "gone"
        if abs(now - before) < LEAST * max(1.0, abs(before)):
            return "same"
        low, high = spread(self.now)
        low_before, high_before = spread(self.before)
        if low <= high_before and low_before <= high:
            return "same"
        return "better" if (now < before) == (self.now.better == "less") else "worse"

    def row(self) -> tuple[Cell, ...]:
        return (
            *(self.now.name, self.verdict, self.before.value, self.now.value),
            *(told(self.before), told(self.now)),
        )


def spread(figure: Figure) -> tuple[float, float]:
    """The least and the most of a ratio's rounds."""
    if figure.value is None:
        raise ValueError(f"{figure.name} has no value")
    if len(figure.rounds) > 1:
        return min(figure.rounds), max(figure.rounds)
    margin = max(UNKNOWN_SPREAD * abs(figure.value), UNKNOWN_LEAST)
    return figure.value - margin, figure.value + margin


def told(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if len(figure.rounds) < 2:
        low, high = spread(figure)
        return f"not kept, ±{(high - low) / 2:.2g} assumed"
    low, high = spread(figure)
    return f"{low:.3g} to {high:.3g} in {len(figure.rounds)}"


def changes(found: Found, recorded: Found) -> list[Change]:
    """Every ratio of the parts that were measured both times, worse ones first."""
    now, before = (
        {n: f for n, f in all_figures(r).items() if f.is_ratio} for r in (found, recorded)
    )
    missing = {name: one for name, one in before.items() if name not in now}
    both = [Change(one, before.get(name, absent(one))) for name, one in now.items()]
    both += [Change(absent(one), one) for one in missing.values()]
    valued = [one for one in both if (one.now.value, one.before.value) != (None, None)]
    return sorted(valued, key=lambda one: VERDICTS.index(one.verdict))


def ratios_of(found: Found) -> dict[str, Figure]:
    return {name: one for name, one in all_figures(found).items() if one.is_ratio}


def absent(figure: Figure) -> Figure:
    return Figure(figure.name, None, figure.better)


def compare(found: Found, recorded: Found) -> str:
    """This run beside what was recorded, as Markdown. `found` are the parts that were measured."""
    old = {name: recorded[name] for name in found if name in recorded}
    lines = [f"{name}: {why}" for name in found if (why := incomparable(name, found, old))]
    rows = changes(found, old)
    if not rows:
        return "\n\n".join([*lines, "No ratio was measured both times."])
    number = {verdict: sum(one.verdict == verdict for one in rows) for verdict in VERDICTS}
    head = ("ratio", "", "recorded", "now", "rounds recorded", "rounds now")
    return "\n\n".join(
        (
            ", ".join(f"{count} {verdict}" for verdict, count in number.items() if count) + ".",
            *([f"Machines differ: {differ}."] if (differ := machines(found, old)) else []),
            *([f"{busy}; its ratios may be off."] if (busy := busy_machine(found)) else []),
            *lines,
            table(head, (one.row() for one in rows)),
            f"Worse or better: all rounds of one run are beyond all of the other, and the ratio "
            f"moved by {LEAST:.0%} or {LEAST:g} at least.",
        )
    )


def incomparable(name: str, found: Found, recorded: Found) -> str:
    """Why a part cannot be compared; "" where it can."""
    for one, when in ((found, "this time"), (recorded, "when it was recorded")):
        if reason := one.get(name, {}).get("skipped"):
            return f"skipped {when}, {reason}"
    return "" if measured(recorded, name) else "not recorded before"


def machines(found: Found, recorded: Found) -> str:
    """What of the machines differs, recorded → now; "" where nothing does."""
    seen: dict[str, None] = {}
    for name, part in found.items():
        one, other = description(recorded.get(name, {})), description(part)
        for what in other if one else ():
            if one.get(what) != other[what]:
                seen[f"{what} {one.get(what) or 'unknown'} → {other[what]}"] = None
    return ", ".join(seen)


def busy_machine(found: Found) -> str:
    """Whether something else kept half of the cores busy before this run; "" if not."""
    for part in found.values():
        machine = part.get("machine", {})
        load, cores = (machine.get("load_average") or [0.0])[0], machine.get("cores") or 1
        if load > cores / 2:
            return f"The machine was busy, with a load average of {load:.1f} before this run"
    return ""


def description(part: Mapping[str, Any]) -> dict[str, str]:
    machine = part.get("machine", {})
    whole = {
        name: str(machine[name]) for name in ("system", "cpu", "cores", "python") if name in machine
    }
    return {**whole, **machine.get("packages", {})}


def runs(found: Found, recorded: Found) -> str:
    """When both were measured, for a heading."""
    both: Sequence[Found] = (found, {name: recorded[name] for name in found if name in recorded})
    now, before = ({day for part in one.values() if (day := measured_on(part))} for one in both)
    return f"{', '.join(sorted(now)) or 'now'}, beside {', '.join(sorted(before)) or 'nothing'}"
