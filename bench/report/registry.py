"""What the report consists of, by the parts that it needs: tables, pictures and figures. Pure.

A module in bench/report/parts/ registers its own; bench/report/render.py puts them where they go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.report.figures import Figure

Found = Mapping[str, Any]
"""The results by part, each with `taken`: when, where and of which commit it was measured."""
Block = Callable[[Found], str | None]
"""Gives None where what it shows was not measured."""
Picture = Callable[[Found], str | None]
Figures = Callable[[Found], Sequence[Figure]]

BLOCKS: dict[str, Block] = {}
PICTURES: dict[str, Picture] = {}
FIGURES: list[Figures] = []
NO_RESULT = {"skipped", "machine", "commit", "took_seconds"}
"""All that a part has which was skipped altogether."""


def measured(found: Found, *parts: str) -> bool:
    return all(set(found.get(part, ())) - NO_RESULT for part in parts)


def block(*parts: str) -> Callable[[Block], Block]:
    """Registers a block of a page under its function's name. It is rendered where all `parts` were
    measured, and says when that was."""

    def register(render: Block) -> Block:
        def render_if_measured(found: Found) -> str | None:
            text = render(found) if measured(found, *parts) else None
            return text and "\n\n".join(filter(None, (text, provenance(found, parts))))

        BLOCKS[render.__name__] = render_if_measured
        return render_if_measured

    return register


def picture(name: str, *parts: str) -> Callable[[Picture], Picture]:
    """Registers a picture under its file's name. It is drawn where all `parts` were measured."""

    def register(draw: Picture) -> Picture:
        def draw_if_measured(found: Found) -> str | None:
            return draw(found) if measured(found, *parts) else None

        PICTURES[name] = draw_if_measured
        return draw_if_measured

    return register


def figures(*parts: str) -> Callable[[Figures], Figures]:
    """Registers the figures that are held to a target or compared with the last run."""

    def register(give: Figures) -> Figures:
        def give_if_measured(found: Found) -> Sequence[Figure]:
            return give(found) if measured(found, *parts) else ()

        FIGURES.append(give_if_measured)
        return give_if_measured

    return register


def all_figures(found: Found) -> dict[str, Figure]:
    """By name."""
    return {figure.name: figure for give in FIGURES for figure in give(found)}


def provenance(found: Found, parts: Sequence[str]) -> str:
    """When the parts were measured, and of which commit; "" for results that do not say."""
    days = {day for part in parts if (day := measured_on(found[part]))}
    return f"*Measured on {' and '.join(sorted(days))}.*" if days else ""


def measured_on(part: Mapping[str, Any]) -> str:
    day = part.get("machine", {}).get("day", "")
    commit = part.get("commit", "")
    return f"{day} at commit {commit}" if day and commit else day
