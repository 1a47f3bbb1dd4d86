"""What every operation is made of: parameters, responses, and the problems that it can answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.core.problem_catalog import CATALOGUE

Json = dict[str, Any]

RECORD_ID = "^[0-9]{8}-[0-9]{8}-[0-9a-f]{12}$"
# Problems that any route can answer.
ANYWHERE = ("method_not_allowed", "origin_not_allowed", "misconfigured", "internal_error")
AUTHENTICATION = (
    *("sign_in_required", "invalid_credentials", "sign_in_keys_unavailable"),
    *("vault_unavailable", "vault_secret_unavailable"),
)
LIMITS = (
    "too_many_starts",
    "too_many_live_calls",
    "all_lines_busy",
    "tokens_used_up",
    "seconds_used_up",
    "live_sessions_busy",
    "storage_unavailable",
    "ledger_busy",
    "instance_busy",
)
UPSTREAM = (
    *(code for code, meaning in CATALOGUE.items() if meaning.status in (502, 504)),
    "upstream_quota",
    "live_sessions_full",
    "credential_unavailable",
)


def operation(name: str, summary: str, answers: Json, codes: Iterable[str], **more: Any) -> Json:
    """One method of a path: its successful `answers`, and the problem `codes` it can answer."""
    refusals = problem_responses(*dict.fromkeys((*codes, *ANYWHERE)))
    return {"operationId": name, "summary": summary, **more, "responses": {**answers, **refusals}}


def problem_responses(*codes: str) -> Json:
    """The refusals by HTTP status, each with the codes that it can carry."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(CATALOGUE[code].title for code in found) + ".",
            "headers": problem_headers(status),
            "content": {
                "application/problem+json": {
                    "schema": {
                        "allOf": [
                            {"$ref": "#/components/schemas/Problem"},
                            {"properties": {"code": {"enum": sorted(found)}}},
                        ]
                    }
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def problem_headers(status: int) -> Json:
    """The headers of refusals with that status, besides those of every response."""
    found: Json = {"X-Request-Id": {"schema": {"type": "string"}}}
    if status in (429, 503):
        found["Retry-After"] = {"schema": {"type": "string", "pattern": "^[0-9]+$"}}
    if status == 405:
        found["Allow"] = {"schema": {"type": "string"}, "required": True}
    return found


def json_body(schema: str) -> Json:
    """A JSON body that is one of the document's schemas."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def query_parameter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}
