"""A response in plain values, and the headers that every response carries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import azure.functions as func

from shared.core.problems import Problem

if TYPE_CHECKING:
    from shared.api.request import Request

ALWAYS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Response:
    """A response, in plain values."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, content: Mapping[str, Any]) -> Response:
    """`content` as JSON."""
    return Response(status, json.dumps(content).encode())


def csv_response(
    name: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`rows` as a CSV file to save, called `name`."""
    from shared.admin.csv_text import csv_text

    saved = {"Content-Disposition": f'attachment; filename="{name}.csv"', **(headers or {})}
    return Response(200, csv_text(rows, columns).encode(), "text/csv", saved)


def problem_response(problem: Problem, request_id: str) -> Response:
    """The one shape of all refusals and failures."""
    body = json.dumps(problem.body(request_id)).encode()
    return Response(problem.status, body, "application/problem+json", problem.headers)


def write_response(outgoing: Response, incoming: Request) -> func.HttpResponse:
    """The framework's response, with the headers that every response carries."""
    return func.HttpResponse(
        b"" if incoming.method == "HEAD" else outgoing.body,
        status_code=outgoing.status,
        headers={**ALWAYS, "X-Request-Id": incoming.request_id, **outgoing.headers},
        mimetype=outgoing.content_type,
        charset="utf-8",
    )
