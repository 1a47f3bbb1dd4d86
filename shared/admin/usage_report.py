"""What calls cost: usage summed up for admins, as JSON and as CSV. Pure.

Tokens are as the observers counted them. Calls that nobody observed are counted too, in a column of
their own, so that a sum is not mistaken for the total.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.calls.records import CallRecord
from shared.core.problems import Problem
from shared.usage.prices import UNKNOWN
from shared.usage.tokens import Usage

GROUPS = ("day", "caller", "profile", "model")
KINDS = tuple(each.name for each in fields(Usage))
COLUMNS = (*GROUPS, "calls", "observed_calls", "seconds", *KINDS, "cost")
DAYS_AT_MOST = 92


def read_query(query: Mapping[str, str], today: date) -> tuple[list[date], Sequence[str]]:
    """The days from `from` to `to` (both included, today by default) and the groups in `by` (all
    by default, separated by commas). Raises Problem invalid_query."""
    first, last = parse_day(query, "from", today), parse_day(query, "to", today)
    if not 0 <= (last - first).days < DAYS_AT_MOST:
        raise Problem("invalid_query", f"from, to: expected up to {DAYS_AT_MOST} days.")
    by = [word.strip() for word in query.get("by", "").split(",") if word.strip()]
    if not set(by) <= set(GROUPS):
        raise Problem("invalid_query", f"by: expected some of {', '.join(GROUPS)}.")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return days, by or GROUPS


def parse_day(query: Mapping[str, str], name: str, default: date) -> date:
    """A day of a query. Raises Problem invalid_query."""
    text = query.get(name, "")
    if not text:
        return default
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Problem("invalid_query", f"{name}: expected a day like 2026-01-31.") from None


def sum_usage(records: Iterable[CallRecord], by: Iterable[str] = GROUPS) -> list[dict[str, Any]]:
    """One row for each group of `by`, sorted; `cost` is in US dollars or `unknown`."""
    groups = tuple(name for name in GROUPS if name in set(by))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        key = tuple(group_value(record, name) for name in groups)
        row = rows.setdefault(
            key,
            {
                **dict(zip(groups, key, strict=True)),
                **dict.fromkeys(("calls", "observed_calls", "seconds", *KINDS), 0),
                "cost": Decimal(0),
            },
        )
        add_call(row, record)
    return [{**row, "cost": cost_text(row["cost"])} for _, row in sorted(rows.items())]


def group_value(record: CallRecord, group: str) -> str:
    """The record's value of one of `GROUPS`."""
    if group == "day":
        return f"{record.started_at:%Y-%m-%d}"
    return record.caller_id if group == "caller" else str(getattr(record, group))


def add_call(row: dict[str, Any], record: CallRecord) -> None:
    """Adds one call to its group's row. A cost that is not known makes the sum unknown."""
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


def cost_text(cost: Decimal | None) -> str:
    return UNKNOWN if cost is None else str(cost)


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows as CSV with a header; groups that were not asked for have no column."""
    listed = list(rows)
    columns = [name for name in COLUMNS if not listed or name in listed[0]]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()
