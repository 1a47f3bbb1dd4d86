"""What the profiles of both APIs say of functions, in the same words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FillTools = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Completes the tools of a session that run on the server, which it names."""


def demanded_function(holder: Mapping[str, Any]) -> str | None:
    """The function that the `tool_choice` beside some tools has the model call, if it names one."""
    choice = holder.get("tool_choice")
    return choice["name"] if isinstance(choice, dict) and choice["type"] == "function" else None
