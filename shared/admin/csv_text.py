"""Rows as CSV, for spreadsheets. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""A spreadsheet takes text that begins so for something to be calculated; some take the wide forms
for the others."""


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The rows with a header; what no row has has no column."""
    listed = list(rows)
    shown = [name for name in columns if not listed or any(name in row for row in listed)]
    text = io.StringIO()
    writer = csv.DictWriter(text, shown, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in listed)
    return text.getvalue()


def cell(value: Any) -> Any:
    """The value of a cell; no text in it is a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
