"""The client events that an admin may send to a running call, and their schemas. Pure.

Left out on purpose: `input_audio_buffer.…` and audio in items (speaking in the caller's place),
calls as items of the conversation (speaking in the model's), and `conversation.item.retrieve` (it
returns the caller's audio). A `session.update` is validated against the same schema as a profile.
The schemas follow the API's specification; a test compares them with the official Python types.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.core.json_schema import validation_errors

PROFILE_SCHEMA = Path(__file__).parents[2] / "profiles" / "profile.schema.json"
ID = {"type": "string", "minLength": 1, "maxLength": 512}
TEXT = {"type": "string", "maxLength": 100_000}
ITEM_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,32}$"}
IMAGE = "^data:image/(png|jpeg);base64,"
MAX_CHARACTERS = 200_000
"""In characters, as JSON."""


def object_schema(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
        "required": list(required),
    }


def part_schema(kind: str) -> dict[str, Any]:
    return object_schema({"type": {"const": kind}, "text": TEXT}, "type", "text")


def message_schema(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    fields = {
        "type": {"const": "message"},
        "role": {"const": role},
        "id": ITEM_ID,
        "content": {"type": "array", "items": {"anyOf": list(parts)}},
    }
    return object_schema(fields, "type", "role", "content")


def item_schema(kind: str, required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """An item that is not a message."""
    fields = {"type": {"const": kind}, "id": ITEM_ID, **required, **optional}
    return object_schema(fields, "type", *required)


IMAGE_PART = object_schema(
    {
        "type": {"const": "input_image"},
        "image_url": {"type": "string", "maxLength": MAX_CHARACTERS, "pattern": IMAGE},
        "detail": {"enum": ["auto", "low", "high"]},
    },
    "type",
    "image_url",
)
ITEMS = [
    message_schema("system", part_schema("input_text")),
    message_schema("user", part_schema("input_text"), IMAGE_PART),
    message_schema("assistant", part_schema("output_text")),
    item_schema("function_call_output", {"call_id": ID, "output": TEXT}),
    item_schema(
        "mcp_approval_response",
        {"approval_request_id": ID, "approve": {"type": "boolean"}},
        reason={"type": ["string", "null"], "maxLength": 1000},
    ),
]
ITEM = {"anyOf": ITEMS}
INPUT = {
    # A response's own context may tell of calls; in the conversation only the model makes them.
    "anyOf": [
        *ITEMS,
        item_schema("function_call", {"name": ID, "arguments": TEXT}, call_id=ID),
        object_schema({"type": {"const": "item_reference"}, "id": ID}, "type", "id"),
    ]
}
RESPONSE = object_schema(
    {
        "instructions": TEXT,
        "output_modalities": {"type": "array", "items": {"enum": ["audio", "text"]}},
        "audio": object_schema(
            {
                "output": object_schema(
                    {
                        "format": {"$ref": "#/$defs/format"},
                        "voice": {"$ref": "#/$defs/voice"},
                    }
                )
            }
        ),
        "conversation": {"enum": ["auto", "none"]},
        "input": {"type": "array", "items": INPUT},
        "tools": {"$ref": "#/$defs/tools"},
        "tool_choice": {"$ref": "#/$defs/tool_choice"},
        "parallel_tool_calls": {"type": "boolean"},
        "reasoning": {"$ref": "#/$defs/reasoning"},
        "max_output_tokens": {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": 4096}, {"const": "inf"}]
        },
        "prompt": {"$ref": "#/$defs/prompt"},
        "metadata": {
            "anyOf": [
                {"type": "null"},
                {"type": "object", "additionalProperties": {"type": "string", "maxLength": 512}},
            ]
        },
    }
)
SESSION = {
    "anyOf": [{"$ref": "#/$defs/running_session"}, {"$ref": "#/$defs/transcription_session"}]
}
FIXED_SESSION_FIELDS = ("model", "tracing")

FIELDS: Mapping[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "session.update": ({"session": SESSION}, ("session",)),
    "conversation.item.create": ({"item": ITEM, "previous_item_id": ID}, ("item",)),
    "conversation.item.delete": ({"item_id": ID}, ("item_id",)),
    "conversation.item.truncate": (
        {
            "item_id": ID,
            "content_index": {"type": "integer", "minimum": 0, "maximum": 1000},
            "audio_end_ms": {"type": "integer", "minimum": 0, "maximum": 3_600_000},
        },
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "response.create": ({"response": RESPONSE}, ()),
    "response.cancel": ({"response_id": ID}, ()),
    "output_audio_buffer.clear": ({}, ()),
}
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "session.update": ("session.updated",),
    "conversation.item.create": ("conversation.item.added", "conversation.item.created"),
    "conversation.item.delete": ("conversation.item.deleted",),
    "conversation.item.truncate": ("conversation.item.truncated",),
    "response.create": ("response.created",),
    "response.cancel": ("response.done",),
    "output_audio_buffer.clear": ("output_audio_buffer.cleared",),
}


@functools.cache
def event_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of an allowed client event."""
    definitions = json.loads(PROFILE_SCHEMA.read_text(encoding="utf-8"))["$defs"]
    running = copy.deepcopy(definitions["session"])
    for name in FIXED_SESSION_FIELDS:
        # Neither can change during a call.
        running["properties"].pop(name, None)
    fields, required = FIELDS[kind]
    event = object_schema({"type": {"const": kind}, **fields}, "type", *required)
    return {**event, "$defs": {**definitions, "running_session": running}}


def validate_client_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an event that is allowed and valid. Raises ValueError, which says what was expected
    and quotes no value."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise ValueError(f"type: expected one of {', '.join(FIELDS)}")
    if len(json.dumps(event)) > MAX_CHARACTERS:
        raise ValueError("the event is too large")
    if wrong := validation_errors(dict(event), event_schema(kind)):
        raise ValueError("; ".join(wrong))
    return copy.deepcopy(dict(event))
