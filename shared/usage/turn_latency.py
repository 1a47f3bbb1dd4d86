"""How fast turns are answered: counts of rounded milliseconds, and percentiles of them. Pure.

Values are rounded to about 2.5 percent, so that a call of any length, or the calls of a month, have
a few hundred different ones: counts of them can be added up, which percentiles cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core.untrusted import is_count

LONGEST_MS = 60_000
"""A longer wait counts as this one."""
STEPS = ((200, 5), (400, 10), (1_000, 20), (2_000, 50), (4_000, 100), (10_000, 200), (20_000, 500))
"""Up to how many milliseconds values are multiples of what."""
WIDEST_STEP = 1_000
Counts = Mapping[int, int]
"""How often which latency, in rounded milliseconds."""


def rounded(latency_ms: float) -> int:
    """The value that a latency is counted as."""
    bounded = max(0.0, min(latency_ms, LONGEST_MS))
    step = next((step for until, step in STEPS if bounded < until), WIDEST_STEP)
    return round(bounded / step) * step


def percentile(counts: Counts, percent: float) -> int | None:
    """The smallest value that at least so many of a hundred are not above; None without values."""
    total = sum(counts.values())
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen * 100 >= total * percent:
            return value
    return None


def slower_than(counts: Counts, limit_ms: int) -> int:
    """How many are above a limit."""
    return sum(number for value, number in counts.items() if value > limit_ms)


def summary(counts: Counts) -> dict[str, int]:
    """A call's latencies as they are shown; empty without any."""
    if not counts:
        return {}
    return {
        "turns": sum(counts.values()),
        "p50_ms": percentile(counts, 50) or 0,
        "p95_ms": percentile(counts, 95) or 0,
        "max_ms": max(counts),
    }


def to_stored(counts: Counts) -> dict[str, int]:
    """What `from_stored` reads, as JSON has it."""
    return {str(value): counts[value] for value in sorted(counts)}


def from_stored(stored: Mapping[str, Any]) -> dict[int, int]:
    """The counts in a record. What people have edited into something else is left out."""
    return {
        int(value): number
        for value, number in stored.items()
        if value.isascii()
        and value.isdigit()
        and len(value) <= len(str(LONGEST_MS))
        and int(value) <= LONGEST_MS
        and is_count(number)
    }


def larger(stored: Mapping[str, Any], counted: Counts) -> Mapping[str, Any]:
    """The larger of two counts of the same call: a late run does not undo another's."""
    if sum(counted.values()) <= sum(from_stored(stored).values()):
        return stored
    return to_stored(counted)
