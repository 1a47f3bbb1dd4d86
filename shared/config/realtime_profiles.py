"""Profiles of GPT Realtime: what is wrong with one beyond its schema, and what is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.config.env import Provider
from shared.config.function_tools import FillTools, demanded_function
from shared.config.settings import SessionSettings
from shared.config.transcription_sessions import complete_transcription, is_transcription
from shared.core.json_schema import did_you_mean
from shared.tools.approvals import functions_in
from shared.tools.granted import granted_names


def check_tools(
    content: Mapping[str, Any], provider: Provider, server_tools: frozenset[str] | None
) -> list[str]:
    """What is wrong with a profile's functions: that nobody would run them, or that the model is
    told to use one that there is not.

    Azure's filter withholds function calls from the page. A conversation whose model waits for one
    that nobody answers is silent from then on.
    """
    session: Mapping[str, Any] = content["session"]
    wrong: list[str] = []
    tools = session.get("tools", [])
    functions = [(at, tool["name"]) for at, tool in enumerate(tools) if tool["type"] == "function"]
    filtered = provider == "azure" and content.get("webrtc_filter", "on") == "on"
    known = server_tools if filtered else None
    for at, name in functions:
        if known is not None and name not in known:
            meant = did_you_mean(name, set(known)) or ","
            wrong.append(
                f"session.tools[{at}].name: expected a tool of the server{meant} or "
                '"webrtc_filter": "off": with the filter on, the page does not see the calls of '
                "functions that it is to run"
            )
    must = demanded_function(session)
    if tools and must is not None and must not in [name for _, name in functions]:
        wrong.append("session.tool_choice.name: expected the name of a function in its tools")
    return wrong


def check_approvals(content: Mapping[str, Any], approvers: frozenset[str]) -> list[str]:
    """What is wrong with who approves the calls of MCP servers' tools."""
    policies, session = content.get("mcp_approvals", {}), content["session"]
    wrong: list[str] = []
    if policies and content.get("session_from_page"):
        wrong.append("mcp_approvals: expected nothing beside session_from_page: the page answers")
    labels = granted_names(session, "mcp")
    for label in policies:
        # A stored prompt may bring servers of its own.
        if label not in labels and not session.get("prompt"):
            meant = did_you_mean(label, set(labels))
            wrong.append(f"mcp_approvals.{label}: expected the server_label of an MCP tool{meant}")
    for name in functions_in(policies):
        if name not in approvers:
            meant = did_you_mean(name, set(approvers))
            wrong.append(f"mcp_approvals: expected a function of the server{meant}, not {name}")
    return wrong


def complete_session(
    content: Mapping[str, Any], settings: SessionSettings, fill_tools: FillTools
) -> dict[str, Any]:
    """The session that is sent, with the tools of the server and what the settings fill in."""
    if is_transcription(content["session"]):
        return complete_transcription(content["session"], settings.transcription_model)
    session = dict(fill_tools(content["session"]))
    session.setdefault("model", settings.model)
    if settings.transcription_model:
        transcription = {"model": settings.transcription_model}
        session = with_audio_field(session, "input", "transcription", transcription)
    return session


def with_quick_settings(
    session: dict[str, Any], content: Mapping[str, Any], settings: SessionSettings
) -> dict[str, Any]:
    """The default profile's session with the voice and instructions of the settings."""
    if is_transcription(session):
        return session
    if settings.instructions and "instructions_secret" not in content:
        session["instructions"] = settings.instructions
    if settings.voice:
        session = with_audio_field(session, "output", "voice", settings.voice, replace=True)
    return session


def with_audio_field(
    session: Mapping[str, Any], side: str, field: str, value: Any, *, replace: bool = False
) -> dict[str, Any]:
    """`session` with `audio.<side>.<field>` set, if it is not set yet or `replace` is true."""
    audio = dict(session.get("audio", {}))
    fields = dict(audio.get(side, {}))
    if replace or field not in fields:
        fields[field] = value
    return {**session, "audio": {**audio, side: fields}}
