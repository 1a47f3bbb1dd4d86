"""Values of a session's fields, as a `session.update` can have them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested(values: Mapping[str, Any], kind: str = "realtime") -> dict[str, Any]:
    """A session of that type with fields by their names, as in `audio.input.transcription`."""
    update: dict[str, Any] = {"type": kind}
    for name, value in values.items():
        *outer, last = name.split(".")
        place = update
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return update


def without_nulls(value: Any) -> Any:
    """A field as it can be sent, tools too: the service reports null for what was left out."""
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if each is not None}
    return value


def emptied(value: Any) -> dict[str, Any]:
    """An object's fields with nothing in them."""
    if not isinstance(value, Mapping):
        return {}
    told = {str(name): each for name, each in value.items() if each is not None}
    return {name: [] if isinstance(each, list) else None for name, each in told.items()}


def is_mcp(tool: Any) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == "mcp"
