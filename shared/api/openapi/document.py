"""The API's contract as an OpenAPI 3.1 document, `GET /api/openapi.json`.

Problem codes come from their catalogue. A test compares the paths with the routes, and checks the
app's answers to generated requests against the document.
"""

from __future__ import annotations

from shared.api.openapi.admin import admin_paths
from shared.api.openapi.builders import AUTHENTICATION, Json, json_body, operation
from shared.api.openapi.calls import call_paths
from shared.api.openapi.schemas import SCHEMAS

VERSION = "0.1.0"
DEEP = {
    "name": "deep",
    "in": "query",
    "description": "1: check everything the broker depends on. Needs the role `admin`.",
    "schema": {"type": "string", "enum": ["0", "1"]},
}


def document() -> Json:
    """The whole document."""
    calls, admin = call_paths(), admin_paths()
    both = {"/calls": {**calls.pop("/calls"), **admin.pop("/calls")}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Realtime token broker",
            "version": VERSION,
            "description": "Voice calls with a GPT Realtime model for pages that hold no key.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "Where this document is served."}],
        "paths": {**calls, **both, **admin, **service_paths()},
        "components": {"schemas": SCHEMAS},
    }


def service_paths() -> Json:
    """The paths that are about the service itself."""
    itself = {"200": {"description": "This document.", "content": {"application/json": {}}}}
    return {
        "/health": {
            "get": health_operation("health", "Whether the settings are valid", parameters=[DEEP])
        },
        "/health/deep": {
            "get": health_operation(
                "deepHealth", "For admins: whether everything works", parameters=[]
            )
        },
        "/openapi.json": {"get": operation("openapi", "The contract of the API", itself, ())},
    }


def health_operation(name: str, summary: str, *, parameters: list[Json]) -> Json:
    """A health route: a failing check is reported in the same shape as a passing one."""
    answers = {"200": {"description": "Healthy.", "content": json_body("Health")}}
    codes = (*AUTHENTICATION, "role_required", *(("invalid_query",) if parameters else ()))
    found = operation(name, summary, answers, codes, parameters=parameters)
    found["responses"]["503"]["content"] |= json_body("Health")
    return found
