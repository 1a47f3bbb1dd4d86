"""Medians, quantiles and ratios. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

EACH_ROUND = "each_round"
"""Beside the medians: the numbers that they are of, by name, in the order of the rounds."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `ordered` lies, nearest rank; 0.0 for nothing."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each number over several rounds of the same measurement, and the values that it
    is of (`EACH_ROUND`).

    What is not a number is taken from the first round that has it; a number that a round lacks is
    left out of its median.
    """
    names = {name: None for one in rounds for name in one}
    merged: dict[str, Any] = {}
    each_round: dict[str, list[float]] = {}
    for name in names:
        values = [one[name] for one in rounds if one.get(name) is not None]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers and len(numbers) == len(values):
            merged[name] = median(numbers)
            each_round[name] = numbers
        elif values:
            merged[name] = values[0]
    return {**merged, EACH_ROUND: each_round} if each_round else merged


def last_third(values: Sequence[float | None]) -> float | None:
    """The mean of the last third relative to that of the third before it: 1 for what is level, and
    not sensitive to one value. None for fewer than six, or where one was not measured."""
    known = [value for value in values if value is not None]
    third = len(known) // 3
    if third < 2 or len(known) < len(values):
        return None
    return ratio(mean(known[-third:]), mean(known[-2 * third : -third]))


def ratio(one: float | None, other: float | None) -> float | None:
    """`one` / `other`; None where either was not measured or the other is 0."""
    if one is None or not other:
        return None
    return one / other
