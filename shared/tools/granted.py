"""The tools that a profile's session grants, by their names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMED_BY = {"function": "name", "mcp": "server_label"}


def granted_names(session: Mapping[str, Any] | None, kind: str) -> frozenset[str]:
    """The names of a session's tools of one kind: of functions, or of MCP servers (`mcp`)."""
    tools = (session or {}).get("tools") or ()
    given = [tool for tool in tools if isinstance(tool, Mapping) and tool.get("type") == kind]
    names = [tool.get(NAMED_BY[kind]) for tool in given]
    return frozenset(name for name in names if isinstance(name, str))
