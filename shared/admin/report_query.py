"""The query of a report for admins: which days, and by what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from shared.core.problems import Problem

DAYS_AT_MOST = 92


def read_query(
    query: Mapping[str, str],
    today: date,
    groups: Sequence[str],
    on_request: Sequence[str] = (),
) -> tuple[list[date], Sequence[str]]:
    """The days from `from` to `to` (both included, today by default), and those of `groups` that
    `by` names (all by default, separated by commas), or of `on_request`. Raises Problem
    invalid_query."""
    first, last = parse_day(query, "from", today), parse_day(query, "to", today)
    if not 0 <= (last - first).days < DAYS_AT_MOST:
        raise Problem("invalid_query", f"from, to: expected up to {DAYS_AT_MOST} days.")
    by = {word.strip() for word in query.get("by", "").split(",") if word.strip()}
    known = (*groups, *on_request)
    if not by <= set(known):
        raise Problem("invalid_query", f"by: expected some of {', '.join(known)}.")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return days, [name for name in known if name in by] or groups


def parse_day(query: Mapping[str, str], name: str, default: date) -> date:
    """A day of a query. Raises Problem invalid_query."""
    return parse_optional_day(query, name) or default


def parse_optional_day(query: Mapping[str, str], name: str) -> date | None:
    """A day of a query that need not have one. Raises Problem invalid_query."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Problem("invalid_query", f"{name}: expected a day like 2026-01-31.") from None
