"""What was refused and what failed, by code, for admins. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from shared.calls.call_record import CallRecord
from shared.core.problem_catalog import CATALOGUE
from shared.transcripts.failures import known_counts

REQUEST, CALL = "request", "call"
"""What failed: a request, or something in a call."""
GROUPS = ("day", "kind", "where", "code")
COLUMNS = (*GROUPS, "count")
Row = tuple[str, str, str, str]
"""The values of `GROUPS`."""


def refusals_of(day: date, refused: Mapping[tuple[str, str], int]) -> Counter[Row]:
    """The refused requests of a day."""
    return Counter(
        {(f"{day}", REQUEST, route, code): number for (route, code), number in refused.items()}
    )


def failures_of(day: date, records: Iterable[CallRecord]) -> Counter[Row]:
    """What failed in the calls of a day."""
    found: Counter[Row] = Counter()
    for record in records:
        for what, codes in known_counts(record.failures).items():
            for code, number in codes.items():
                found[f"{day}", CALL, what, code] += number
    return found


def failure_rows(counted: Mapping[Row, int], by: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each group of `by`, sorted."""
    places = [GROUPS.index(name) for name in by]
    sums: Counter[tuple[str, ...]] = Counter()
    for row, number in counted.items():
        sums[tuple(row[place] for place in places)] += number
    return [
        {**dict(zip(by, key, strict=True)), "count": number} for key, number in sorted(sums.items())
    ]


def problems_in(counted: Mapping[Row, int]) -> dict[str, dict[str, str]]:
    """What the codes of refused requests mean, and what to do."""
    codes = {code for _, kind, _, code in counted if kind == REQUEST and code in CATALOGUE}
    return {
        code: {"title": CATALOGUE[code].title, "hint": CATALOGUE[code].hint}
        for code in sorted(codes)
    }
