"""The tools that a profile's session grants, by their names: in a Live session, those of the model
that it delegates to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMED_BY = {"function": "name", "mcp": "server_label"}


def granted_names(session: Mapping[str, Any] | None, kind: str) -> frozenset[str]:
    """The names of a session's tools of one kind: of functions, or of MCP servers (`mcp`)."""
    tools = tools_of(session or {})
    given = [tool for tool in tools if isinstance(tool, Mapping) and tool.get("type") == kind]
    names = [tool.get(NAMED_BY[kind]) for tool in given]
    return frozenset(name for name in names if isinstance(name, str))


def tools_of(session: Mapping[str, Any]) -> Sequence[Any]:
    """The tools in a session."""
    delegation = session.get("delegation")
    backend = delegation.get("responses") if isinstance(delegation, Mapping) else None
    delegated = backend.get("tools") if isinstance(backend, Mapping) else None
    return [*(session.get("tools") or ()), *(delegated or ())]
