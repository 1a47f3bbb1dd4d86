"""Figures that mean the same on every machine: ratios within one run, with their rounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.report.stats import EACH_ROUND, ratio

Better = Literal["less", "more"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with its value in each round where that was kept. What is no ratio may have a
    target, but says nothing beside another machine's."""

    name: str
    value: float | None
    better: Better
    rounds: tuple[float, ...] = ()
    is_ratio: bool = True


def relative(
    name: str,
    better: Better,
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    figure: str,
    *,
    value: float | None = None,
) -> Figure:
    """`figure` of one side relative to the other's, each as `stats.medians` gave it; `value` if it
    was calculated already."""
    found = ratio(one.get(figure), other.get(figure)) if value is None else value
    return Figure(name, found, better, rounds(one, other, figure))


def rounds(one: Mapping[str, Any], other: Mapping[str, Any], figure: str) -> tuple[float, ...]:
    """The ratio in each round; the other's median where it was measured in fewer rounds."""
    ours, theirs = (side.get(EACH_ROUND, {}).get(figure, ()) for side in (one, other))
    if len(ours) != len(theirs):
        theirs = [other.get(figure)] * len(ours)
    found = (ratio(first, second) for first, second in zip(ours, theirs, strict=True))
    return tuple(each for each in found if each is not None)
