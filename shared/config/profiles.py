"""Session profiles: files in profiles/ -> the session config that a call gets.

Profiles are the server's: a page names one and never sends one. The fields are those of the GA
session (OpenAI's API specification and official Python types, 2026), checked against
profiles/profile.schema.json when the app starts. All mistakes of all files are reported together.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.config.env import ConfigurationError
from shared.config.settings import SessionSettings, Settings
from shared.config.transcription_sessions import (
    check_transcription,
    complete_transcription,
    is_transcription,
    transcription_in,
)
from shared.config.voice_api import REALTIME, VoiceApi
from shared.core import logs
from shared.core.json_schema import did_you_mean, validation_errors
from shared.core.problems import Problem
from shared.tools.approvals import functions_in
from shared.tools.granted import granted_names

SCHEMA_FILE = Path(__file__).parents[2] / "profiles" / "profile.schema.json"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DEFAULT = "default"
FillTools = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One session profile.

    `filtered`: the page's data channel carries captions and little else, so that instructions and
    tools stay on the server (Azure's `webrtcfilter=on`). `instructions_secret` names the secret in
    Key Vault that holds the instructions (credentials/private_instructions.py fills them in).
    `session_from_page`: the page may replace instructions and tools; otherwise the observer
    restores them. `goodbye` tells the model what to say before the server ends the call. `roles`:
    callers with any of them may choose the profile; if there are none, every caller may.
    `mcp_approvals`: who approves the calls of MCP servers' tools (tools/approvals.py). `api`: the
    API that its calls speak, whose session it has.
    """

    name: str
    session: Mapping[str, Any]
    filtered: bool = True
    instructions_secret: str | None = None
    session_from_page: bool = False
    goodbye: str | None = None
    roles: frozenset[str] = frozenset()
    mcp_approvals: Mapping[str, Any] = field(default_factory=dict)
    api: VoiceApi = REALTIME

    def with_instructions(self, instructions: str) -> Profile:
        """The profile with these instructions in its session."""
        return replace(self, session={**self.session, "instructions": instructions})

    @property
    def model(self) -> str:
        """The deployment (Azure) or the model (OpenAI) that answers the call, or transcribes it."""
        if is_transcription(self.session):
            return str(transcription_in(self.session).get("model", ""))
        return str(self.session["model"])


class Profiles:
    """The profiles by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.by_name = MappingProxyType(dict(profiles))

    def named(self, name: str | None) -> Profile:
        """The profile with that name; None or "" is the default. Raises Problem unknown_profile."""
        found = self.by_name.get(name or DEFAULT)
        if found is None:
            raise Problem("unknown_profile")
        return found


def load_profiles(
    settings: Settings,
    fill_tools: FillTools = dict,
    server_tools: frozenset[str] | None = None,
    approvers: frozenset[str] = frozenset(),
) -> Profiles:
    """Reads every profile file of the settings' folder. Raises `ConfigurationError`.

    `fill_tools` completes a session with what it names: the tools that run on the server, which are
    `server_tools`; None if they are not known. `approvers` are the functions of the server that may
    approve calls of MCP servers' tools.
    """
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    folder = settings.session.profiles
    found: dict[str, Profile] = {}
    mistakes: list[str] = []
    for file in sorted(folder.glob("*.json")):
        if file.name == SCHEMA_FILE.name:
            continue
        where = f"{folder.name}/{file.name}"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            mistakes.append(f"{where}: not JSON")
            continue
        wrong = validation_errors(content, schema)
        if not NAME.fullmatch(file.stem):
            wrong.append("the file's name: expected lower-case letters, digits and hyphens")
        if not wrong:
            wrong += check_private_instructions(content, settings)
            wrong += check_tools(content, settings, server_tools)
            wrong += check_approvals(content, approvers)
            wrong += check_transcription(content, settings.session.transcription_model)
        mistakes += [f"{where}: {line}" for line in wrong]
        if not wrong:
            found[file.stem] = build_profile(file.stem, content, settings.session, fill_tools)
    if DEFAULT not in found and not mistakes:
        names = {file.stem for file in folder.glob("*.json")}
        mistakes.append(
            f"REALTIME_PROFILES: expected a folder with default.json{did_you_mean(DEFAULT, names)}"
        )
    if mistakes:
        raise ConfigurationError(mistakes)
    profiles = Profiles(found)
    warn_of_idle_tools(settings, profiles)
    warn_of_unrecorded_calls(settings, profiles)
    return profiles


def warn_of_idle_tools(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles have tools of the server while nothing observes calls, and so runs them:
    a conversation falls silent at the first one."""
    if settings.observer.mode == "off":
        for profile in profiles.by_name.values():
            if profile.filtered and profile.session.get("tools"):
                logs.event("tools without an observer", logging.WARNING, profile=profile.name)


def warn_of_unrecorded_calls(settings: Settings, profiles: Profiles) -> None:
    """Logs which profiles' calls are not recorded although recording is on: nobody should look for
    them in vain. Realtime's sideband has no audio of the caller's."""
    if settings.observer.recordings:
        for profile in profiles.by_name.values():
            if profile.api == REALTIME:
                logs.event("calls not recorded", logging.WARNING, profile=profile.name)


def check_private_instructions(content: Mapping[str, Any], settings: Settings) -> list[str]:
    """What is wrong with a profile whose instructions are in Key Vault."""
    if not content.get("instructions_secret"):
        return []
    wrong = []
    if not settings.secrets.vault_uri:
        wrong.append("instructions_secret: expected KEY_VAULT_URI to be set too")
    if "instructions" in content["session"]:
        wrong.append("session.instructions: expected nothing beside instructions_secret")
    return wrong


def check_tools(
    content: Mapping[str, Any], settings: Settings, server_tools: frozenset[str] | None
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
    filtered = settings.endpoint.provider == "azure" and content.get("webrtc_filter", "on") == "on"
    known = server_tools if filtered else None
    for at, name in functions:
        if known is not None and name not in known:
            meant = did_you_mean(name, set(known)) or ","
            wrong.append(
                f"session.tools[{at}].name: expected a tool of the server{meant} or "
                '"webrtc_filter": "off": with the filter on, the page does not see the calls of '
                "functions that it is to run"
            )
    choice = session.get("tool_choice")
    must = choice["name"] if isinstance(choice, dict) and choice["type"] == "function" else None
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


def build_profile(
    name: str, content: Mapping[str, Any], settings: SessionSettings, fill_tools: FillTools
) -> Profile:
    """A `Profile` from a valid file's content, with what the settings fill in."""
    if is_transcription(content["session"]):
        session = complete_transcription(content["session"], settings.transcription_model)
    else:
        session = build_session(name, content, settings, fill_tools)
    return Profile(
        name,
        session,
        filtered=content.get("webrtc_filter", "on") == "on",
        instructions_secret=content.get("instructions_secret"),
        session_from_page=content.get("session_from_page", False),
        goodbye=content.get("goodbye"),
        roles=frozenset(content.get("roles", ())),
        mcp_approvals=content.get("mcp_approvals", {}),
    )


def build_session(
    name: str, content: Mapping[str, Any], settings: SessionSettings, fill_tools: FillTools
) -> dict[str, Any]:
    """The session of a profile whose model answers."""
    session = dict(fill_tools(content["session"]))
    session.setdefault("model", settings.model)
    if settings.transcription_model:
        transcription = {"model": settings.transcription_model}
        session = with_audio_field(session, "input", "transcription", transcription)
    if name == DEFAULT:
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
