"""The session resource: what `session.started`, `session.updated` and `session.closed` show."""

from __future__ import annotations

import copy
from typing import Any

from realtime_emulator.protocol.ids import Provider

Config = dict[str, Any]
"""A session as it was asked for, validated."""

DEFAULT_VOICE = "marin"
DEFAULT_FORMAT = {"type": "audio/pcm", "rate": 24_000}
DEFAULT_INSTRUCTIONS = "You are a helpful voice assistant. Keep replies short and conversational."


def resolve(config: Config) -> Config:
    """The configuration with its defaults."""
    out = copy.deepcopy(config)
    if not (out.get("instructions") or "").strip():
        out["instructions"] = DEFAULT_INSTRUCTIONS
    voice = (out.get("audio") or {}).get("output", {}).get("voice", DEFAULT_VOICE)
    out["audio"] = {**(out.get("audio") or {}), "output": {"voice": voice}}
    out["delegation"] = resolve_delegation(out.get("delegation"))
    out.setdefault("input", [])
    return out


def resolve_delegation(delegation: dict[str, Any] | None) -> dict[str, Any]:
    """`client` where nothing was said; a backend has tools and a tool choice."""
    if delegation is None:
        return {"type": "client"}
    if delegation["type"] != "responses":
        return delegation
    backend = {**delegation["responses"]}
    backend.setdefault("tools", [])
    backend.setdefault("tool_choice", "auto")
    return {**delegation, "responses": hide_secrets(backend)}


def hide_secrets(backend: dict[str, Any]) -> dict[str, Any]:
    """The backend without the authorization of its MCP servers, which is never echoed."""
    tools = [{n: v for n, v in t.items() if n != "authorization"} for t in backend["tools"]]
    return {**backend, "tools": tools}


def build_resource(
    provider: Provider, session_id: str, expires_at: int, config: Config, *, has_media: bool
) -> dict[str, Any]:
    """The resource of a resolved configuration. `has_media`: WebRTC, which shows no format, except
    on Azure, where it is always shown."""
    output = config["audio"]["output"]
    given = config["audio"].get("format", DEFAULT_FORMAT)
    audio: dict[str, Any] = {"output": output, "format": given}
    if provider == "azure":
        audio = {"format": given, "output": output}
    elif has_media:
        audio = {"output": output}
    resource = {
        "id": session_id,
        "expires_at": expires_at,
        "model": config["model"],
        "instructions": config["instructions"],
        "audio": audio,
        "delegation": config["delegation"],
        "status": "active",
        "input": config["input"],
    }
    for name in ("client", "store", "safety_identifier", "triggers"):
        if config.get(name) is not None:
            resource[name] = config[name]
    if provider == "azure":
        resource["context_management"] = {"type": "compaction"}
    return copy.deepcopy(resource)
