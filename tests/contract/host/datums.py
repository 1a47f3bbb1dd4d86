"""Datums as JSON, for the pipe between our host and Microsoft's runtime.

It imports nothing but Python's own: both sides use it, in different environments.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any

Make = Callable[[Any, str], Any]
"""The Datum of a value and a type."""


def to_json(value: Any) -> Any:
    """A Datum, or what is in one."""
    if hasattr(value, "python_value"):
        return {"type": value.type, "value": to_json(value.value)}
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, SimpleCookie):
        return {"cookie": value.output(header="", sep=";")}
    if isinstance(value, dict):
        return {"items": {name: to_json(item) for name, item in value.items()}}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


def from_json(value: Any, make: Make) -> Any:
    """What `to_json` gave."""
    match value:
        case {"type": kind, "value": inner}:
            return make(from_json(inner, make), kind)
        case {"base64": text}:
            return base64.b64decode(text)
        case {"cookie": text}:
            return SimpleCookie(text)
        case {"items": items}:
            return {name: from_json(item, make) for name, item in items.items()}
        case list():
            return [from_json(item, make) for item in value]
    return value
