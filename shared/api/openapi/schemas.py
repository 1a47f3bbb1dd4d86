"""The JSON bodies of the API's responses."""

from __future__ import annotations

from typing import Any

from shared.core.problem_catalog import CATALOGUE

TEXT = {"type": "string", "minLength": 1}
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
            "session_model": {"type": "string", "description": "For admins."},
            "prices_as_of": {"type": "string", "description": "For admins: the day of the cost."},
            "api": {"const": "live", "description": "Of a call of GPT-Live; absent from others."},
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
            "warnings": {"type": "array", "items": TEXT},
            "checks": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "status"],
                    "properties": {
                        "name": TEXT,
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
