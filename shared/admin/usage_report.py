"""What calls cost: usage added up for admins, as JSON and as CSV. Pure.

Tokens are as the observers counted them. Calls that nobody observed are counted as calls and told
apart, so that a sum is never taken for the whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from shared.calls.records import CallRecord
from shared.usage.prices import UNKNOWN
from shared.usage.tokens import Usage

GROUPS = ("day", "caller", "profile", "model")
KINDS = tuple(each.name for each in fields(Usage))
COLUMNS = (*GROUPS, "calls", "observed_calls", "seconds", *KINDS, "cost")


def summed(records: Iterable[CallRecord], by: Iterable[str] = GROUPS) -> list[dict[str, Any]]:
    """One row for each group of `by`, in order; `cost` is in US dollars or `unknown`."""
    groups = tuple(name for name in GROUPS if name in set(by))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        key = tuple(value_of(record, name) for name in groups)
        row = rows.setdefault(
            key,
            {
                **dict(zip(groups, key, strict=True)),
                **dict.fromkeys(("calls", "observed_calls", "seconds", *KINDS), 0),
                "cost": Decimal(0),
            },
        )
        add(row, record)
    return [{**row, "cost": shown(row["cost"])} for _, row in sorted(rows.items())]


def value_of(record: CallRecord, group: str) -> str:
    if group == "day":
        return f"{record.started_at:%Y-%m-%d}"
    return str(getattr(record, group))


def add(row: dict[str, Any], record: CallRecord) -> None:
    row["calls"] += 1
    if record.ended_at is not None:
        row["seconds"] += round((record.ended_at - record.started_at).total_seconds())
    if not record.usage:
        return
    row["observed_calls"] += 1
    for kind in KINDS:
        row[kind] += int(record.usage.get(kind, 0))
    known = row["cost"] is not None and record.cost not in ("", UNKNOWN)
    row["cost"] = row["cost"] + Decimal(record.cost) if known else None


def shown(cost: Decimal | None) -> str:
    return UNKNOWN if cost is None else str(cost)


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as CSV, with a header; columns that were not asked for are left out."""
    listed = list(rows)
    columns = [name for name in COLUMNS if not listed or name in listed[0]]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()
