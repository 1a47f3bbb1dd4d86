"""What was measured, as it is kept: read, written, shown in the pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.harness.processes import ROOT
from bench.report.registry import measured
from bench.report.render import fill_page, pictures

RESULTS = ROOT / "bench" / "results"
LATEST = RESULTS / "latest.json"
COMPARISON = RESULTS / "comparison.md"
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "docs" / "performance.md", ROOT / "docs" / "scale.md")


def read(file: Path | None = None) -> dict[str, Any]:
    """The results by part, as recorded last or in `file`; none where there is no such file."""
    file = file or LATEST
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def keep(found: Mapping[str, Any]) -> dict[str, Any]:
    """Writes the results, and gives all that are recorded now: parts that were not measured this
    time, or skipped, stay as they were."""
    RESULTS.mkdir(exist_ok=True)
    before = read()
    kept = {name: part for name, part in found.items() if measured(found, name)}
    merged = {**found, **before, **kept}
    LATEST.write_text(json.dumps(merged, indent=1) + "\n")
    return merged


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
