"""Medians, quantiles and ratios. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `ordered` lies, nearest rank; 0.0 for nothing."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of each number over several rounds of the same measurement.

    What is not a number is taken from the first round that has it; a number that a round lacks is
    left out of its median.
    """
    names = {name: None for one in rounds for name in one}
    merged: dict[str, Any] = {}
    for name in names:
        values = [one[name] for one in rounds if one.get(name) is not None]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        if values:
            merged[name] = median(numbers) if len(numbers) == len(values) else values[0]
    return merged


def ratio(one: float | None, other: float | None) -> float | None:
    """`one` / `other`; None where either was not measured or the other is 0."""
    if one is None or not other:
        return None
    return one / other


def ratios(sides: Mapping[str, Any]) -> dict[str, float | None]:
    """The broker relative to the articles' service, and to nginx."""

    def compare(other: str, load: str, figure: str) -> float | None:
        one, two = (sides.get(side, {}).get(load, {}).get(figure) for side in ("broker", other))
        return ratio(one, two)

    def throughput(other: str, callers: int) -> dict[str, float | None]:
        name = "nginx" if other == "nginx" else "the article's"
        return {
            f"/{kind} requests/s at {callers} callers, relative to {name}": compare(
                other, f"{kind} {callers}", "per_second"
            )
            for kind in ("token", "connect")
        }

    return {
        "/connect p50 at 1 caller, relative to the article's": compare(
            "article", "connect 1", "p50_ms"
        ),
        **throughput("article", 64),
        **throughput("nginx", 64),
        **throughput("nginx", 256),
    }
