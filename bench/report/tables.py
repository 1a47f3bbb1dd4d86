"""Markdown tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cell = str | float | None


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table; numbers with their significant digits, None as a dash."""
    lines = [head, ["---"] * len(head), *([cell(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def amount(number: int) -> str:
    """A large round number, in words."""
    if number >= 1_000_000:
        return f"{number / 1_000_000:g} million"
    return f"{number // 1000} thousand"
