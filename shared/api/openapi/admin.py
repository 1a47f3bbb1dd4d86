"""The paths for admins: calls, their transcripts and events, reports."""

from __future__ import annotations

from shared.api.openapi.builders import (
    AUTHENTICATION,
    RECORD_ID,
    UPSTREAM,
    Json,
    json_body,
    operation,
    query_parameter,
)
from shared.live.admin_event_schemas import ANSWERS
from shared.realtime.admin_event_schemas import FIELDS

ADMIN = (
    *AUTHENTICATION,
    "role_required",
    "invalid_query",
    "call_not_found",
    "storage_unavailable",
    "ledger_busy",
)
ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "From the list of calls.",
    "schema": {"type": "string", "pattern": RECORD_ID},
}
TEXT = {"type": "string"}
DAY = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$"}
DAYS = (query_parameter("from", DAY), query_parameter("to", DAY))
CURSOR = "^[0-9]{1,12}-[0-9a-f]{8}$"
FORMAT = query_parameter("format", {"enum": ["json", "csv"]})
CSV: Json = {"text/csv": {"schema": TEXT}}


def admin_paths() -> Json:
    return {
        "/calls": {"get": list_operation()},
        "/calls/{id}/transcript": {
            "get": operation(
                "transcript",
                "For admins: the transcript of a call, or what is new of it",
                {"200": {"description": "The transcript.", "content": json_body("Transcript")}},
                ADMIN,
                parameters=[ID, query_parameter("after", {"type": "string", "pattern": CURSOR})],
            ),
            "delete": operation(
                "deleteTranscript",
                "For admins: delete the transcript of a call",
                {"204": {"description": "Deleted."}},
                ADMIN,
                parameters=[ID],
            ),
        },
        "/calls/{id}/recording": {"get": recording_operation()},
        "/calls/{id}/events": {"post": send_event_operation()},
        "/usage": {"get": report_operation("usage", "what calls used", "Usage")},
        "/latency": {
            "get": report_operation("latency", "how fast callers were answered", "Latency")
        },
        "/failures": {
            "get": report_operation("failures", "what was refused and what failed", "Failures")
        },
        "/endpoints": {
            "get": operation(
                "endpoints",
                "For admins: the model's endpoints, how each is, what went there in a day",
                {"200": {"description": "All.", "content": json_body("Endpoints")}},
                (*AUTHENTICATION, "role_required", "storage_unavailable"),
            )
        },
    }


def list_operation() -> Json:
    return operation(
        "listCalls",
        "For admins: the calls that match, newest first",
        {
            "200": {
                "description": "A page.",
                "content": {**json_body("Calls"), **CSV},
                "headers": {"X-Next": {"schema": {"type": "string", "pattern": RECORD_ID}}},
            }
        },
        ADMIN,
        parameters=[
            query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 2000}),
            query_parameter("before", {"type": "string", "pattern": RECORD_ID}),
            query_parameter("q", {"type": "string", "maxLength": 100}),
            query_parameter("status", {"enum": ["live", "ended"]}),
            *(
                query_parameter(name, TEXT)
                for name in ("profile", "model", "caller", "ended_by", "endpoint")
            ),
            *DAYS,
            FORMAT,
        ],
    )


def recording_operation() -> Json:
    audio: Json = {"content": {"audio/wav": {}}, "headers": {"Accept-Ranges": {"schema": TEXT}}}
    in_part = {**audio["headers"], "Content-Range": {"schema": TEXT, "required": True}}
    return operation(
        "recording",
        "For admins: both voices of a call",
        {
            "200": {"description": "All of it, if it is 4 MiB at most.", **audio},
            "206": {"description": "Up to 4 MiB of it.", **audio, "headers": in_part},
        },
        (*ADMIN, "recording_not_found", "range_required", "range_not_satisfiable"),
        parameters=[
            ID,
            {
                "name": "Range",
                "in": "header",
                "description": "One range: `bytes=0-`.",
                "schema": {"type": "string"},
            },
        ],
    )


def send_event_operation() -> Json:
    event = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": [*FIELDS, *ANSWERS]}},
        "description": "A client event of the API that the call speaks, as in docs/api.md.",
    }
    answered = {
        "type": "object",
        "properties": {"answered_by": {"type": ["string", "null"]}},
    }
    return operation(
        "sendEvent",
        "For admins: send one client event to a running call",
        {
            "202": {
                "description": "Sent.",
                "content": {"application/json": {"schema": answered}},
            }
        },
        (*ADMIN, "broken_body", "invalid_event", "event_refused", *UPSTREAM),
        parameters=[ID],
        requestBody={"required": True, "content": {"application/json": {"schema": event}}},
    )


def report_operation(name: str, about: str, schema: str) -> Json:
    return operation(
        name,
        f"For admins: {about}",
        {"200": {"description": "Rows.", "content": {**json_body(schema), **CSV}}},
        ADMIN,
        parameters=[*DAYS, query_parameter("by", {"type": "string"}), FORMAT],
    )
