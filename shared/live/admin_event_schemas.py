"""The client events that an admin may send to a running Live call, and their schemas. Pure.

Left out on purpose: audio (speaking in the caller's or the model's place), the items and responses
of the backend (their room is the tools' own, 32 KiB a session), decisions, and `session.update`:
the observer keeps the session as the profile has it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from shared.core.json_schema import validation_errors
from shared.live.client_events import APPEND_BYTES

APPENDS = ("session.instructions", "session.thinking", "session.commentary")
CONTENT = {"type": "string", "minLength": 1, "maxLength": APPEND_BYTES}
ANSWERS: Mapping[str, str] = {
    **{f"{name}.append": f"{name}.appended" for name in APPENDS},
    "session.input_audio.mute": "session.input_audio.muted",
    "session.input_audio.unmute": "session.input_audio.unmuted",
    "session.close": "session.closed",
}
"""The server event that answers each of the client events that are allowed."""


def event_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of an allowed client event."""
    properties: dict[str, Any] = {"type": {"const": kind}}
    required = ["type"]
    if kind.endswith(".append"):
        # Of the whole call: a delegation is answered by the server alone.
        properties |= {"content": CONTENT, "delegation_id": {"type": "null"}}
        required.append("content")
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required,
    }


def validate_live_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an event that is allowed and valid, with what the API demands. Raises ValueError,
    which says what was expected and quotes no value."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in ANSWERS:
        raise ValueError(f"type: expected one of {', '.join(ANSWERS)}")
    if wrong := validation_errors(dict(event), event_schema(kind)):
        raise ValueError("; ".join(wrong))
    ours = copy.deepcopy(dict(event))
    if "content" in ours:
        if len(ours["content"].encode("utf-8", "replace")) > APPEND_BYTES:
            raise ValueError(f"content: expected up to {APPEND_BYTES} bytes")
        ours["delegation_id"] = None
    return ours
