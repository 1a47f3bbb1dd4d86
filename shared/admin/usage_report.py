"""What calls cost: usage summed up for admins, as JSON and as CSV. Pure.

Tokens, the seconds of transcription and those that Live calls are billed for (`live_seconds`) are
as the observers counted them, those of Live calls that nobody observed as the clock did; `seconds`
is how long the calls were on record. Calls of which no usage is known are counted too, and not
among `observed_calls`, so that a sum is not mistaken for the total.
`failures` is how often something failed in the calls of a row, `prices_as_of` the day of the price
table that their costs are from, or the first and the last of several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.calls.call_record import CallRecord
from shared.core.untrusted import finite
from shared.transcripts.failures import known_counts
from shared.usage import transcription
from shared.usage.live_usage import TIME_KINDS
from shared.usage.prices import UNKNOWN
from shared.usage.tokens import Usage

GROUPS = ("day", "caller", "profile", "model")
ON_REQUEST = ("endpoint",)
"""What calls are grouped by only where that is asked for."""
KINDS = tuple(each.name for each in fields(Usage))
WORDS = {f"transcription_{kind}": kind for kind in transcription.KINDS}
"""The columns of what transcribed the callers."""
TIMES = {f"live_{kind}": kind for kind in TIME_KINDS}
"""The columns of the time that Live calls are billed for."""
COUNTED = ("calls", "observed_calls", "seconds", *KINDS, *TIMES, *WORDS, "failures")
COLUMNS = (*GROUPS, *COUNTED, "cost", "prices_as_of", *ON_REQUEST)
SELDOM = frozenset({"written_text", *TIMES, *WORDS, "failures", "prices_as_of"})
"""Left out of a row that has nothing in them."""


def sum_usage(records: Iterable[CallRecord], by: Iterable[str] = GROUPS) -> list[dict[str, Any]]:
    """One row for each group of `by`, sorted; `cost` is in US dollars or `unknown`."""
    groups = tuple(name for name in (*GROUPS, *ON_REQUEST) if name in set(by))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        key = tuple(group_value(record, name) for name in groups)
        row = rows.setdefault(
            key,
            {
                **dict(zip(groups, key, strict=True)),
                **dict.fromkeys(COUNTED, 0),
                "cost": Decimal(0),
                "prices_as_of": set(),
            },
        )
        add_call(row, record)
    return [finished_row(row) for _, row in sorted(rows.items())]


def finished_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is shown."""
    days = days_text(row["prices_as_of"])
    shown = {**row, "cost": cost_text(row["cost"]), "prices_as_of": days}
    return {name: value for name, value in shown.items() if value or name not in SELDOM}


def group_value(record: CallRecord, group: str) -> str:
    """The record's value of one of `GROUPS`, or of what is grouped by on request."""
    if group == "day":
        return f"{record.started_at:%Y-%m-%d}"
    columns = {"caller": "caller_id", "endpoint": "endpoint_name"}
    return str(getattr(record, columns.get(group, group)))


def add_call(row: dict[str, Any], record: CallRecord) -> None:
    """Adds one call to its group's row. A cost that is not known makes the sum unknown."""
    row["calls"] += 1
    if record.ended_at is not None:
        row["seconds"] += round((record.ended_at - record.started_at).total_seconds())
    row["failures"] += sum(sum(codes.values()) for codes in known_counts(record.failures).values())
    if not record.usage:
        return
    row["observed_calls"] += 1
    for kind in KINDS:
        row[kind] += int(finite(record.usage.get(kind)) or 0)
    for columns, counts in ((TIMES, record.usage), (WORDS, record.transcription)):
        for column, kind in columns.items():
            row[column] = round(row[column] + (finite(counts.get(kind)) or 0), 3)
    if record.prices_as_of:
        row["prices_as_of"].add(record.prices_as_of)
    cost = known_cost(record.cost)
    row["cost"] = None if row["cost"] is None or cost is None else row["cost"] + cost


def known_cost(text: str) -> Decimal | None:
    """The cost in a record; None where it is not known."""
    try:
        cost = Decimal(text)
    except InvalidOperation:
        return None
    return cost if cost.is_finite() else None


def cost_text(cost: Decimal | None) -> str:
    return UNKNOWN if cost is None else str(cost)


def days_text(days: set[str]) -> str:
    """The day of all, or the first and the last; empty where no cost is known with its day."""
    return "/".join(sorted({min(days), max(days)})) if days else ""
