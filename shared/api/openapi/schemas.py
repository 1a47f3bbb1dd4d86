"""The JSON bodies of the API's responses."""

from __future__ import annotations

from typing import Any

from shared.core.problem_catalog import CATALOGUE

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
MILLISECONDS = {"type": "integer", "minimum": 0, "description": "Milliseconds."}
ROW: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("day", "caller", "profile", "model")},
}


def report(name: str, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The JSON of a report: rows called `name`."""
    rows = {"type": "array", "items": row}
    return {"type": "object", "required": [name], "properties": {name: rows, **more}}


PERCENTILES = ("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms")
LATENCY_ROW: dict[str, Any] = {
    **ROW,
    "required": ["calls", "turns", "slow", *PERCENTILES],
    "properties": {
        **ROW["properties"],
        **dict.fromkeys(("calls", "turns", "slow"), COUNT),
        **dict.fromkeys(PERCENTILES, MILLISECONDS),
    },
}
FAILURE_ROW: dict[str, Any] = {
    "type": "object",
    "required": ["count"],
    "properties": {
        "day": {"type": "string"},
        "kind": {"enum": ["request", "call"]},
        "where": {"type": "string"},
        "code": {"type": "string"},
        "count": COUNT,
    },
}
MOMENT = {"type": "string", "format": "date-time"}
OF_A_RECORD = {
    "caller": "the keyed hash of who calls",
    "profile": "the session profile",
    "model": "the model, or the deployment's name",
    "way": "`connect`, or `token` of a call that was started with a key",
    "observed": "whether an observer has followed it",
    "cost": "in US dollars, or `unknown`",
}
ENTRY: dict[str, Any] = {
    "type": "object",
    "description": "One thing that was said or done. What is empty is left out.",
    "required": ["kind", "at"],
    "properties": {
        "index": {**COUNT, "description": "With `after`: its place in the whole."},
        "kind": TEXT,
        "at": MOMENT,
        **{name: {"type": "string"} for name in ("item_id", "role", "name", "arguments", "output")},
        "origin": {"type": "string", "description": "Who wrote it."},
        "text": {"type": "string"},
        "interrupted": {"type": "boolean"},
        "heard_text": {"type": "string", "description": "What was heard of an interrupted answer."},
        "latency_ms": {"type": "integer", "description": "How long the caller waited for it."},
    },
}
REASONS = ("quota", "unreachable", "model_missing", "refused")
ENDPOINT_ROW: dict[str, Any] = {
    "type": "object",
    "required": [
        *("name", "provider", "region", "weight", "profiles", "state", "cooling_until"),
        *("cooling_models", "reason", "starts", "refusals", "refused_for"),
    ],
    "properties": {
        "name": TEXT,
        "provider": {"enum": ["azure", "openai"]},
        "region": {"type": "string"},
        "weight": {"type": "number", "minimum": 0, "description": "0: no call starts there."},
        "profiles": {"type": "array", "items": TEXT},
        "state": {"enum": ["well", "cooling"]},
        "cooling_until": {"oneOf": [MOMENT, {"type": "null"}]},
        "cooling_models": {"type": "array", "items": TEXT, "description": "None: all."},
        "reason": {"enum": [*REASONS, None]},
        "starts": COUNT,
        "refusals": COUNT,
        "refused_for": {"type": "object", "additionalProperties": COUNT},
    },
}
SCHEMAS: dict[str, Any] = {
    "Token": {
        "type": "object",
        "additionalProperties": False,
        "required": ["token", "value", "expires_at", "url", "endpoint", "model"],
        "properties": {
            "token": {"type": "string", "description": "The key, the same as `value`."},
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
            "id": {
                "type": "string",
                "description": "By which logs, admins and messages know the call; opens nothing.",
            },
            "status": {"enum": ["live", "ended"]},
            "started_at": {"type": "string", "format": "date-time"},
            "ends_at": {"type": "string", "format": "date-time"},
            "ended_at": {"type": ["string", "null"]},
            "ended_by": {"type": "string"},
            "usage": {
                "type": "object",
                "description": "Tokens by kind; of a Live call also its seconds.",
                "additionalProperties": {"type": "number"},
            },
            "transcription": {"type": "object", "additionalProperties": {"type": "number"}},
            "failures": {
                "type": "object",
                "description": "How often what failed, by the code of the model's endpoint.",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": "integer"},
                },
            },
            **{
                name: {"type": "string", "description": f"For admins: {about}."}
                for name, about in OF_A_RECORD.items()
            },
            "session_model": {"type": "string", "description": "For admins."},
            "prices_as_of": {"type": "string", "description": "For admins: the day of the cost."},
            "latency": {
                "type": "object",
                "description": "For admins: how fast its turns were answered.",
                "properties": {
                    "turns": COUNT,
                    **dict.fromkeys(("p50_ms", "p95_ms", "max_ms"), MILLISECONDS),
                },
            },
            "api": {"const": "live", "description": "Of a call of GPT-Live; absent from others."},
            "conversation_ends_at": {
                "type": "string",
                "format": "date-time",
                "description": "Until when the conversation may go on in further calls.",
            },
            "continues": {
                "type": "string",
                "description": "For admins: the call before.",
            },
            "continued_by": {"type": "string", "description": "For admins: the call after."},
            "endpoint": {
                "type": "string",
                "description": "For admins: the name of the endpoint that the call is at.",
            },
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
    "Transcript": {
        "type": "object",
        "required": ["call", "next"],
        "properties": {
            "call": {"$ref": "#/components/schemas/Call"},
            "next": {"type": "string", "description": "To be sent back as `after`."},
            "transcript": {
                "type": "object",
                "description": "Absent where nothing has come since `after`.",
                "required": ["entries", "total"],
                "properties": {
                    "entries": {"type": "array", "items": ENTRY},
                    "total": {**COUNT, "description": "How many entries there are in all."},
                    "ended": {"type": ["string", "null"], "description": "How the call ended."},
                    "gaps": {**COUNT, "description": "Times from which things may be missing."},
                    "usage": {"type": "object", "additionalProperties": {"type": "number"}},
                    "turns": {"type": "array", "items": {"type": "object"}},
                },
            },
            "recording": {"type": "object"},
        },
    },
    "Usage": report("usage", ROW),
    "Latency": report("latency", LATENCY_ROW, slow_ms=MILLISECONDS),
    "Failures": report(
        "failures",
        FAILURE_ROW,
        problems={
            "type": "object",
            "description": "What the codes of requests mean, and what to do.",
            "additionalProperties": {
                "type": "object",
                "required": ["title", "hint"],
                "properties": {"title": TEXT, "hint": TEXT},
            },
        },
    ),
    "Endpoints": {
        "type": "object",
        "required": ["since", "endpoints"],
        "properties": {
            "since": MOMENT,
            "endpoints": {"type": "array", "minItems": 1, "items": ENDPOINT_ROW},
        },
    },
    "Health": {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"enum": ["ok", "failing"]},
            "warnings": {"type": "array", "items": TEXT},
            "observers": {
                "type": "object",
                "description": "How many calls this instance observes, and how many it may.",
                "required": ["observed_here", "capacity"],
                "properties": {"observed_here": COUNT, "capacity": COUNT},
            },
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "status"],
                    "properties": {
                        "name": TEXT,
                        "endpoint": TEXT,
                        "status": {"enum": ["ok", "failing", "skipped"]},
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
