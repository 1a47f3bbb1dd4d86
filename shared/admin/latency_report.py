"""How fast callers were answered: percentiles over the turns of many calls, for admins. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.admin.usage_report import ON_REQUEST, group_value
from shared.calls.call_record import CallRecord
from shared.usage import turn_latency

GROUPS = ("day", "profile", "model")
PERCENTS = (50, 75, 90, 95, 99)
PERCENTILES = tuple(f"p{percent}_ms" for percent in PERCENTS)
COLUMNS = (*GROUPS, "calls", "turns", "slow", *PERCENTILES, "max_ms", *ON_REQUEST)


@dataclass(slots=True)
class Turns:
    """The turns of the calls of one row."""

    calls: int = 0
    counts: Counter[int] = field(default_factory=Counter)


def latency_rows(
    records: Iterable[CallRecord], by: Sequence[str], slow_ms: int
) -> list[dict[str, Any]]:
    """One row for each group of `by`, sorted. Calls of which no turn was timed are left out;
    `slow` turns are those over `slow_ms`, none where that is 0."""
    groups: dict[tuple[str, ...], Turns] = {}
    for record in records:
        counts = turn_latency.from_stored(record.latency)
        if not counts:
            continue
        turns = groups.setdefault(tuple(group_value(record, name) for name in by), Turns())
        turns.calls += 1
        turns.counts.update(counts)
    return [
        {**dict(zip(by, key, strict=True)), **row_of(turns, slow_ms)}
        for key, turns in sorted(groups.items())
    ]


def row_of(turns: Turns, slow_ms: int) -> dict[str, Any]:
    counts = turns.counts
    return {
        "calls": turns.calls,
        "turns": sum(counts.values()),
        "slow": turn_latency.slower_than(counts, slow_ms) if slow_ms else 0,
        **{
            name: turn_latency.percentile(counts, percent)
            for name, percent in zip(PERCENTILES, PERCENTS, strict=True)
        },
        "max_ms": max(counts),
    }
