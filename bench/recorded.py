"""What was measured, as it is kept: read, written, shown in the pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.harness.processes import ROOT
from bench.report.render import fill_page, pictures

RESULTS = ROOT / "bench" / "results"
LATEST = RESULTS / "latest.json"
COMPARISON = RESULTS / "comparison.md"
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "scale.md")


def read(file: Path = LATEST) -> dict[str, Any]:
    """The results by part; none where there is no such file."""
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def record(found: Mapping[str, Any], comparison: str) -> None:
    """Writes the results, the comparison, the pages and the pictures. Parts that were not measured
    this time stay as they were recorded."""
    RESULTS.mkdir(exist_ok=True)
    recorded = {**read(), **found}
    LATEST.write_text(json.dumps(recorded, indent=1) + "\n")
    COMPARISON.write_text(comparison)
    write_pages(recorded)


def write_pages(recorded: Mapping[str, Any]) -> None:
    for name, picture in pictures(recorded).items():
        (IMAGES / name).write_text(picture)
    for page in PAGES:
        page.write_text(fill_page(page.read_text(), recorded))


def rounded(value: Any) -> Any:
    """Every number to four significant digits; more were never measured."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else value
