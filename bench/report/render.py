"""The results as they are shown: on the console, in docs/performance.md and docs/scale.md, and as
pictures. Pure.

The pages hold the blocks between `<!-- bench: NAME -->` and `<!-- end -->`; a test holds the pages
to bench/results/latest.json.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from typing import Any

from bench.report import parts
from bench.report.registry import BLOCKS, PICTURES, Found

for each in pkgutil.iter_modules(parts.__path__, f"{parts.__name__}."):
    importlib.import_module(each.name)  # It registers what it has.
BLOCK = re.compile(r"(<!-- bench: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill_page(page: str, found: Found) -> str:
    """`page` with every block that there are results for written anew; others stay as they are."""

    def replace(match: re.Match[str]) -> str:
        opening, name, end = match.groups()
        text = BLOCKS[name](found)
        return match.group(0) if text is None else f"{opening}\n{text}\n\n{end}"

    return BLOCK.sub(replace, page)


def report(found: Found) -> str:
    """Every block that there are results for, and why others are missing."""
    texts = {name: text for name, block in BLOCKS.items() if (text := block(found)) is not None}
    reasons = [f"{name}: skipped, {part['skipped']}" for name, part in found.items() if skips(part)]
    return "\n\n".join([*(f"## {name}\n\n{text}" for name, text in texts.items()), *reasons])


def pictures(found: Found) -> dict[str, str]:
    """Every picture that there are results for, by file name."""
    drawn = {name: draw(found) for name, draw in PICTURES.items()}
    return {name: picture for name, picture in drawn.items() if picture is not None}


def skips(part: Mapping[str, Any]) -> bool:
    return bool(part.get("skipped"))
