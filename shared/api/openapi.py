"""The contract of the API as an OpenAPI 3.1 document, `GET /api/openapi.json`.

Problem codes come from their catalogue; a test holds the paths against the routes, and every answer
of the app is held against the document by generated requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.core.problems import CATALOGUE
from shared.realtime.client import CALL_ID
from shared.upstream.sdp import MAX_OFFER_BYTES

VERSION = "0.1.0"
# What any route may answer, whatever it is for.
ANYWHERE = ("method_not_allowed", "origin_not_allowed", "misconfigured", "internal_error")
CALLER = ("sign_in_required", "invalid_credentials", "sign_in_keys_unavailable")
SECRET = ("vault_unavailable", "vault_secret_unavailable")
OFFER = (
    "missing_offer",
    "invalid_offer",
    "offer_without_audio",
    "offer_without_data_channel",
    "offer_refused",
    "broken_body",
    "offer_too_large",
    "unsupported_content_type",
    "unknown_profile",
)
UPSTREAM = (
    *(code for code, meaning in CATALOGUE.items() if meaning.status in (502, 504)),
    "upstream_quota",
    "credential_unavailable",
)

LEDGER = (
    "too_many_starts",
    "too_many_live_calls",
    "all_lines_busy",
    "tokens_used_up",
    "storage_unavailable",
    "ledger_busy",
)

ADMIN = (
    *CALLER,
    *SECRET,
    "role_required",
    "invalid_query",
    "call_not_found",
    "storage_unavailable",
    "ledger_busy",
)

Json = dict[str, Any]


def problems(*codes: str) -> Json:
    """The refusals of a route by their status, each with the codes that it may carry."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(CATALOGUE[code].title for code in found) + ".",
            "headers": headers_of(status),
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


def headers_of(status: int) -> Json:
    """The headers that refusals of a status carry beside the usual ones."""
    found: Json = {"X-Request-Id": {"schema": {"type": "string"}}}
    if status in (429, 503):
        found["Retry-After"] = {"schema": {"type": "string", "pattern": "^[0-9]+$"}}
    if status == 405:
        found["Allow"] = {"schema": {"type": "string"}, "required": True}
    return found


def operation(name: str, summary: str, answers: Json, codes: Iterable[str], **more: Any) -> Json:
    """One method of a path."""
    refusals = problems(*dict.fromkeys((*codes, *ANYWHERE)))
    return {"operationId": name, "summary": summary, **more, "responses": {**answers, **refusals}}


PROFILE = {
    "name": "profile",
    "in": "query",
    "description": "The session profile; the default one if left out.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
}
HANDLE = {
    "name": "handle",
    "in": "path",
    "required": True,
    "description": "From the Location of /connect.",
    "schema": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"},
}
DEEP = {
    "name": "deep",
    "in": "query",
    "description": "1: try everything that the broker stands on. Needs the role `admin`.",
    "schema": {"type": "string", "enum": ["0", "1"]},
}
ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "From the list of calls.",
    "schema": {"type": "string", "pattern": "^[0-9]{8}-[0-9]{8}-[0-9a-f]{12}$"},
}
SDP = {"type": "string", "maxLength": MAX_OFFER_BYTES, "description": "An SDP offer, unchanged."}
STARTED = {
    "201": {
        "description": "The call has begun: the SDP answer.",
        "headers": {
            "Location": {
                "required": True,
                "description": "The call, for its owner: /api/calls/{handle}.",
                "schema": {"type": "string", "pattern": "^/api/calls/[A-Za-z0-9_-]+$"},
            }
        },
        "content": {"application/sdp": {"schema": {"type": "string"}}},
    }
}
OFFER_BODY = {
    "required": True,
    "content": {
        "application/sdp": {"schema": SDP},
        "text/plain": {"schema": SDP},
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["sdp"], "properties": {"sdp": SDP}}
        },
    },
}


def start(name: str, summary: str) -> Json:
    """`POST /connect` and its twin."""
    codes = (*CALLER, *SECRET, *OFFER, *LEDGER, "observer_unavailable", *UPSTREAM)
    return {
        "post": operation(
            name, summary, STARTED, codes, parameters=[PROFILE], requestBody=OFFER_BODY
        )
    }


def json_body(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def calls() -> Json:
    """`/calls`: register one's own, list everybody's."""
    registered = {"201": {**STARTED["201"], "description": "Registered."}}
    del registered["201"]["content"]
    body = {
        "type": "object",
        "required": ["call_id"],
        "properties": {"call_id": {"type": "string", "pattern": CALL_ID.pattern}},
    }
    taken = ("invalid_call_id", "broken_body", "unknown_profile", *LEDGER, "observer_unavailable")
    return {
        "post": operation(
            "register",
            "Register a call that was made with a key",
            registered,
            (*CALLER, *SECRET, *taken, *UPSTREAM),
            parameters=[PROFILE],
            requestBody={"required": True, "content": {"application/json": {"schema": body}}},
        ),
        "get": operation(
            "listCalls",
            "For admins: calls, newest first",
            {"200": {"description": "A page.", "content": json_body("Calls")}},
            ADMIN,
            parameters=[
                query("limit", {"type": "integer", "minimum": 1, "maximum": 200}),
                query("before", {"type": "string", "pattern": "^[0-9]{8}-[0-9]{8}-[0-9a-f]{12}$"}),
            ],
        ),
    }


def for_admins() -> Json:
    """What else admins may ask for."""
    day = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
    rows = {"type": "object", "properties": {"usage": {"type": "array"}}}
    used = {"application/json": {"schema": rows}, "text/csv": {"schema": {"type": "string"}}}
    answered = {"answered_by": {"type": ["string", "null"]}}
    told = {"schema": {"type": "object", "properties": answered}}
    event = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
    return {
        "/calls/{id}/transcript": {
            "get": operation(
                "transcript",
                "For admins: what is on the record of a call",
                {"200": {"description": "The record.", "content": {"application/json": {}}}},
                ADMIN,
                parameters=[ID],
            ),
            "delete": operation(
                "deleteTranscript",
                "For admins: delete what was said in a call",
                {"204": {"description": "Deleted."}},
                ADMIN,
                parameters=[ID],
            ),
        },
        "/calls/{id}/events": {
            "post": operation(
                "sendEvent",
                "For admins: one client event to a running call",
                {
                    "202": {
                        "description": "Sent.",
                        "content": {"application/json": {"schema": told}},
                    }
                },
                (*ADMIN, "broken_body", "invalid_event", "event_refused", *UPSTREAM),
                parameters=[ID],
                requestBody={"required": True, "content": {"application/json": {"schema": event}}},
            )
        },
        "/usage": {
            "get": operation(
                "usage",
                "For admins: what calls used",
                {"200": {"description": "Rows.", "content": used}},
                ADMIN,
                parameters=[
                    query("from", day),
                    query("to", day),
                    query("by", {"type": "string"}),
                    query("format", {"enum": ["json", "csv"]}),
                ],
            )
        },
    }


def query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema}


def health(name: str, summary: str, parameters: list[Json]) -> Json:
    """`GET /health`: what fails is told in the same shape as what works."""
    answers = {"200": {"description": "Healthy.", "content": json_body("Health")}}
    codes = (*CALLER, *SECRET, "role_required")
    told = operation(name, summary, answers, codes, parameters=parameters)
    told["responses"]["503"]["content"] |= json_body("Health")
    return told


def document() -> Json:
    """The whole document."""
    token = {"200": {"description": "An ephemeral key.", "content": json_body("Token")}}
    token_codes = (*CALLER, *SECRET, "unknown_profile", "token_endpoint_off", *LEDGER, *UPSTREAM)
    nothing = {"204": {"description": "The call is over."}}
    plain = {"200": {"description": "This document.", "content": {"application/json": {}}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Realtime token broker",
            "version": VERSION,
            "description": "Voice calls with a GPT Realtime model for pages that hold no key.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api"}],
        "paths": {
            "/token": {
                method: operation(
                    f"{method}Token",
                    "An ephemeral key for a page that talks to the model's endpoint itself",
                    token,
                    token_codes,
                    parameters=[PROFILE],
                )
                for method in ("get", "post")
            },
            "/connect": start("connect", "An SDP offer in, the SDP answer out"),
            "/session": start("session", "The same as /connect"),
            "/calls": calls(),
            "/calls/{handle}": {
                "get": operation(
                    "call",
                    "How one's own call stands",
                    {"200": {"description": "The call.", "content": json_body("Call")}},
                    (*CALLER, *SECRET, "call_not_found", "storage_unavailable"),
                    parameters=[HANDLE],
                )
            },
            **for_admins(),
            "/calls/{handle}/hangup": {
                "post": operation(
                    "hangUp",
                    "End one's own call; again is fine",
                    nothing,
                    (*CALLER, *SECRET, "call_not_found", "storage_unavailable", *UPSTREAM),
                    parameters=[HANDLE],
                )
            },
            "/health": {"get": health("health", "Whether the settings are right", [DEEP])},
            "/health/deep": {"get": health("deepHealth", "For admins: whether all works", [])},
            "/openapi.json": {"get": operation("openapi", "The contract of the API", plain, ())},
        },
        "components": {"schemas": SCHEMAS},
    }


TEXT = {"type": "string", "minLength": 1}
SCHEMAS: Json = {
    "Token": {
        "type": "object",
        "additionalProperties": False,
        "required": ["token", "value", "expires_at", "url", "endpoint", "model"],
        "properties": {
            "token": {"type": "string", "description": "The key; the same as `value`."},
            "value": {"type": "string"},
            "expires_at": {"type": "integer", "description": "Unix time in seconds."},
            "url": {"type": "string", "description": "Where to post the offer."},
            "endpoint": {"type": "string"},
            "model": {"type": "string"},
        },
    },
    "Call": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"enum": ["live", "ended"]},
            "started_at": {"type": "string", "format": "date-time"},
            "ends_at": {"type": "string", "format": "date-time"},
            "ended_at": {"type": ["string", "null"]},
            "ended_by": {"type": "string"},
            "usage": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    },
    "Calls": {
        "type": "object",
        "required": ["calls", "next"],
        "properties": {
            "calls": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}},
            "next": {"type": ["string", "null"]},
        },
    },
    "Health": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"enum": ["ok", "failing"]},
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "status"],
                    "properties": {
                        "name": TEXT,
                        "status": {"enum": ["ok", "failing"]},
                        "code": {"type": "string", "enum": sorted(CATALOGUE)},
                        "detail": TEXT,
                        "hint": TEXT,
                    },
                },
            },
        },
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457 problem details.",
        "required": ["type", "title", "status", "detail", "code", "hint", "request_id"],
        "properties": {
            "type": {"type": "string", "pattern": "^urn:realtime-token-broker:problem:[a-z_]+$"},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "code": {"type": "string", "enum": sorted(CATALOGUE)},
            "hint": TEXT,
            "request_id": TEXT,
        },
    },
}
