"""The paths for callers: start, register, watch and end a call, and the key for it."""

from __future__ import annotations

from shared.api.openapi.builders import AUTHENTICATION, LIMITS, UPSTREAM, Json, json_body, operation
from shared.realtime.call_ids import CALL_ID
from shared.upstream.sdp import MAX_OFFER_BYTES

PROFILE_CODES = ("invalid_query", "unknown_profile", "profile_not_allowed")
KEYS = ("token_endpoint_off", "live_without_keys")
OFFER = (
    "missing_offer",
    "invalid_offer",
    "offer_without_audio",
    "offer_without_data_channel",
    "offer_refused",
    "broken_body",
    "offer_too_large",
    "unsupported_content_type",
    *PROFILE_CODES,
)
PROFILE = {
    "name": "profile",
    "in": "query",
    "description": "The session profile; by default `default`.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
}
HANDLE = {
    "name": "handle",
    "in": "path",
    "required": True,
    "description": "From the Location of /connect.",
    "schema": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"},
}
LOCATION = {
    "required": True,
    "description": "The call, for its owner: relative to the request's URL.",
    "schema": {
        "type": "string",
        "format": "uri-reference",
        "pattern": r"^(\.\./)?calls/[A-Za-z0-9_-]+$",
    },
}
VOICE_API = {
    "required": True,
    "description": "The API whose events the page will meet.",
    "schema": {"enum": ["realtime", "live"]},
}
CONVERSATION = {
    "required": True,
    "description": "Whether the call begins with what was said in the one that it continues.",
    "schema": {"enum": ["continued", "new"]},
}
REQUEST_ID = {"description": "What the log has.", "schema": {"type": "string"}}
REGISTERED = {"Location": LOCATION, "X-Voice-Api": VOICE_API, "X-Request-Id": REQUEST_ID}
STARTED = {**REGISTERED, "X-Conversation": CONVERSATION}
CONTINUES = {
    "name": "continues",
    "in": "query",
    "description": "The handle of a call of the caller's whose conversation goes on in this one.",
    "schema": HANDLE["schema"],
}
SDP = {"type": "string", "maxLength": MAX_OFFER_BYTES, "description": "An SDP offer, unchanged."}
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


def call_paths() -> Json:
    return {
        "/token": {method: token_operation(method) for method in ("get", "post")},
        "/connect": {
            "get": check_operation(),
            "post": start_operation("connect", "Send an SDP offer, get the SDP answer"),
        },
        "/session": {"post": start_operation("session", "The same as /connect")},
        "/calls": {"post": register_operation()},
        "/calls/{handle}": {
            "get": operation(
                "call",
                "The status of one's own call",
                {"200": {"description": "The call.", "content": json_body("Call")}},
                (*AUTHENTICATION, "call_not_found", "storage_unavailable"),
                parameters=[HANDLE],
            )
        },
        "/calls/{handle}/hangup": {
            "post": operation(
                "hangUp",
                "End one's own call; idempotent",
                {"204": {"description": "The call has ended."}},
                (*AUTHENTICATION, "call_not_found", "storage_unavailable", *UPSTREAM),
                parameters=[HANDLE],
            )
        },
    }


def token_operation(method: str) -> Json:
    return operation(
        f"{method}Token",
        "An ephemeral key for a page that connects to the model's endpoint itself",
        {"200": {"description": "An ephemeral key.", "content": json_body("Token")}},
        (*AUTHENTICATION, *PROFILE_CODES, *KEYS, *LIMITS, *UPSTREAM),
        parameters=[PROFILE],
    )


def check_operation() -> Json:
    return operation(
        "checkCaller",
        "Whether one may start calls with a profile; starts none",
        {"204": {"description": "One may, as far as it can be known before an offer."}},
        (*AUTHENTICATION, *PROFILE_CODES),
        parameters=[PROFILE],
    )


OBSERVERS = ("observer_unavailable", "instance_stopping")


def start_operation(name: str, summary: str) -> Json:
    started = {
        "201": {
            "description": "The call has started: the SDP answer.",
            "headers": STARTED,
            "content": {"application/sdp": {"schema": {"type": "string"}}},
        }
    }
    continued = ("call_not_found", "conversation_over", "already_continued")
    codes = (*AUTHENTICATION, *OFFER, *continued, *LIMITS, *OBSERVERS, *UPSTREAM)
    return operation(
        name, summary, started, codes, parameters=[PROFILE, CONTINUES], requestBody=OFFER_BODY
    )


def register_operation() -> Json:
    body = {
        "type": "object",
        "required": ["call_id"],
        "properties": {
            "call_id": {"type": "string", "pattern": CALL_ID.pattern},
            "endpoint": {
                "type": "string",
                "description": "As `/api/token` gave it with the key, where there are several.",
            },
        },
    }
    codes = (
        *("invalid_call_id", "broken_body", *PROFILE_CODES, "registration_refused"),
        "live_without_keys",
        *("storage_unavailable", "ledger_busy", "observer_unavailable", "instance_busy"),
    )
    return operation(
        "register",
        "Register a call that was started with a key",
        {"201": {"description": "Registered.", "headers": REGISTERED}},
        (*AUTHENTICATION, *codes),
        parameters=[PROFILE],
        requestBody={"required": True, "content": {"application/json": {"schema": body}}},
    )
