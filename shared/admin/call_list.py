"""The list of calls: what is searched for, and its rows as CSV. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from shared.admin.report_query import parse_optional_day
from shared.calls.call_record import ENDED, LIVE
from shared.calls.call_search import CallSearch
from shared.core.problems import Problem
from shared.usage import transcription
from shared.usage.live_usage import TIME_KINDS
from shared.usage.tokens import Usage

TEXT_AT_MOST = 100
WORDS = ("profile", "model", "caller", "ended_by", "endpoint")
KINDS = (*(each.name for each in fields(Usage)), *TIME_KINDS)
LATENCIES = ("turns", "p50_ms", "p95_ms", "max_ms")
ALIKE = (
    *("id", "status", "caller", "profile", "model", "session_model", "api", "way"),
    *("started_at", "ends_at", "ended_at", "ended_by", "continues", "continued_by"),
    "endpoint",
)
"""What a call has as it stands."""
COLUMNS = (
    *ALIKE,
    *LATENCIES,
    *KINDS,
    *(f"transcription_{kind}" for kind in transcription.KINDS),
    *("failures", "cost", "prices_as_of"),
)


def read_search(query: Mapping[str, str]) -> CallSearch:
    """What a query looks for. Raises Problem invalid_query."""
    status, text = query.get("status", ""), query.get("q", "").strip().lower()
    if status not in ("", LIVE, ENDED):
        raise Problem("invalid_query", f"status: expected {LIVE} or {ENDED}.")
    if len(text) > TEXT_AT_MOST:
        raise Problem("invalid_query", f"q: expected up to {TEXT_AT_MOST} characters.")
    return CallSearch(
        text=text,
        status=status,
        first=parse_optional_day(query, "from"),
        last=parse_optional_day(query, "to"),
        **{name: query.get(name, "") for name in WORDS},
    )


def csv_row(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call of the list (`CallRecord.public`) as a row; what it does not have is left out."""
    usage, words = call.get("usage") or {}, call.get("transcription") or {}
    failed = sum(sum(codes.values()) for codes in (call.get("failures") or {}).values())
    latency = call.get("latency") or {}
    return {
        **{name: call[name] for name in ALIKE if call.get(name)},
        **{name: latency[name] for name in LATENCIES if name in latency},
        **{kind: usage[kind] for kind in KINDS if kind in usage},
        **{f"transcription_{kind}": words[kind] for kind in transcription.KINDS if kind in words},
        **({"failures": failed} if failed else {}),
        **{name: call[name] for name in ("cost", "prices_as_of") if call.get(name)},
    }
