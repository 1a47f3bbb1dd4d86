"""Session profiles: files in profiles/ -> the session config that a call gets.

Profiles are the server's: a page names one and never sends one. The fields are those of the GA
session (OpenAI's API specification and official Python types, 2026), checked against
profiles/profile.schema.json or profiles/live-profile.schema.json when the app starts. All mistakes
of all files are reported together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.config.env import ConfigurationError
from shared.config.function_tools import FillTools
from shared.config.live_profiles import (
    check_delegation_function,
    complete_live_session,
    live_errors,
)
from shared.config.profile_warnings import warn_of_profiles
from shared.config.realtime_profiles import (
    check_approvals,
    check_tools,
    complete_session,
    with_quick_settings,
)
from shared.config.settings import Settings
from shared.config.transcription_sessions import (
    check_transcription,
    is_transcription,
    transcription_in,
)
from shared.config.voice_api import LIVE, REALTIME, VoiceApi, voice_api
from shared.core.json_schema import did_you_mean, validation_errors
from shared.core.problems import Problem

FOLDER = Path(__file__).parents[2] / "profiles"
SCHEMA_FILE = FOLDER / "profile.schema.json"
LIVE_SCHEMA_FILE = FOLDER / "live-profile.schema.json"
SCHEMAS = {REALTIME: SCHEMA_FILE, LIVE: LIVE_SCHEMA_FILE}
LIVE_FIELDS = frozenset({"client", "delegation", "idle_timeout_s", "input", "wake_policy"})
"""Fields that a session of GPT-Live may have, and one of Realtime never."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DEFAULT = "default"


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
    API that its calls speak, whose session it has. `recorded`: where calls are recorded, its
    own are. `delegation_function` names the function of the server that does what Live calls
    delegate to it; None is the only one.
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
    recorded: bool = True
    delegation_function: str | None = None

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
    delegations: frozenset[str] | None = None,
) -> Profiles:
    """Reads every profile file of the settings' folder. Raises `ConfigurationError`.

    `fill_tools` completes a session with what it names: the tools that run on the server, which are
    `server_tools`; None if they are not known. `approvers` are the functions of the server that may
    approve calls of MCP servers' tools. `delegations` are those that do what Live calls delegate to
    the server; None if they are not known.
    """
    loader = ProfileLoader(settings, fill_tools, server_tools, approvers, delegations)
    folder = settings.session.profiles
    found: dict[str, Profile] = {}
    mistakes: list[str] = []
    for file in sorted(folder.glob("*.json")):
        if file.name in (SCHEMA_FILE.name, LIVE_SCHEMA_FILE.name):
            continue
        where = f"{folder.name}/{file.name}"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            mistakes.append(f"{where}: not JSON")
            continue
        wrong = loader.errors_in(content)
        if not NAME.fullmatch(file.stem):
            wrong.append("the file's name: expected lower-case letters, digits and hyphens")
        mistakes += [f"{where}: {line}" for line in wrong]
        if not wrong:
            found[file.stem] = loader.build_profile(file.stem, content)
    if DEFAULT not in found and not mistakes:
        names = {file.stem for file in folder.glob("*.json")}
        mistakes.append(
            f"REALTIME_PROFILES: expected a folder with default.json{did_you_mean(DEFAULT, names)}"
        )
    if mistakes:
        raise ConfigurationError(mistakes)
    profiles = Profiles(found)
    if not settings.serves(profiles.named(None).model):
        raise ConfigurationError(
            [
                f"{folder.name}/{DEFAULT}.json: session.model: expected one of a "
                "REALTIME_ENDPOINTS element's models, as that list names them"
            ]
        )
    warn_of_profiles(settings, profiles, delegations)
    return profiles


def api_of(content: Any) -> VoiceApi:
    """The API that a file is for."""
    named = content.get("api") if isinstance(content, Mapping) else None
    return voice_api(named if isinstance(named, str) else "")


def check_api_name(content: Any) -> list[str]:
    """Says that a file names an API that there is not: what else is wrong with it depends on which
    one it means."""
    named = content.get("api", REALTIME) if isinstance(content, Mapping) else REALTIME
    if not isinstance(named, str):
        named = ""
    elif named in SCHEMAS:
        return []
    known = ", ".join(f'"{name}"' for name in SCHEMAS)
    return [f"api: expected one of {known}{did_you_mean(named.lower(), set(SCHEMAS))}"]


def check_api(content: Any) -> list[str]:
    """Says which API a session is of that has been taken for Realtime's."""
    session = content.get("session") if isinstance(content, Mapping) else None
    found = sorted(LIVE_FIELDS & session.keys()) if isinstance(session, Mapping) else []
    return [f'api: expected "live" for a session with {found[0]}'] if found else []


def explain_recording(wrong: Sequence[str]) -> list[str]:
    """Says of a Realtime profile why there is nothing to record."""
    why = "recording: expected nothing: Realtime's sideband has no audio of the caller's"
    return [why if line.startswith("recording: ") else line for line in wrong]


@dataclass(frozen=True, slots=True)
class ProfileLoader:
    """Checks one file's content, and makes a profile of it. The fields are as in
    `load_profiles`."""

    settings: Settings
    fill_tools: FillTools
    server_tools: frozenset[str] | None
    approvers: frozenset[str]
    delegations: frozenset[str] | None
    schemas: dict[VoiceApi, Any] = field(default_factory=dict)

    def schema_of(self, api: VoiceApi) -> Any:
        """The schema of one API's profiles. That of GPT-Live is not read where there are none."""
        if api not in self.schemas:
            file = SCHEMAS[api]
            if not file.is_file():
                # In another function app the broker's profiles may be in a folder of any name.
                file = self.settings.session.profiles / file.name
            self.schemas[api] = json.loads(file.read_text(encoding="utf-8"))
        return self.schemas[api]

    def errors_in(self, content: Any) -> list[str]:
        """All that is wrong with a file's content."""
        if unknown := check_api_name(content):
            return unknown
        api, settings = api_of(content), self.settings
        schema = self.schema_of(api)
        if api == LIVE:
            model = settings.live.delegation_model
            wrong = live_errors(content, schema, model, self.server_tools)
            return wrong or [
                *check_private_instructions(content, settings),
                *check_delegation_function(content, self.delegations),
            ]
        wrong = validation_errors(content, schema)
        if wrong:
            return [*explain_recording(wrong), *check_api(content)]
        return [
            *check_private_instructions(content, settings),
            *dict.fromkeys(
                line
                for provider in settings.providers
                for line in check_tools(content, provider, self.server_tools)
            ),
            *check_approvals(content, self.approvers),
            *check_transcription(content, settings.session.transcription_model),
        ]

    def build_profile(self, name: str, content: Mapping[str, Any]) -> Profile:
        """A `Profile` from a valid file's content, with what the settings fill in."""
        api, settings = api_of(content), self.settings
        if api == LIVE:
            session = complete_live_session(
                content["session"],
                settings.live.model,
                settings.live.delegation_model,
                self.fill_tools,
            )
        else:
            session = complete_session(content, settings.session, self.fill_tools)
        if name == DEFAULT:
            session = with_quick_settings(session, content, settings.session)
        return Profile(
            name,
            session,
            filtered=content.get("webrtc_filter", "on") == "on",
            instructions_secret=content.get("instructions_secret"),
            session_from_page=content.get("session_from_page", False),
            goodbye=content.get("goodbye"),
            roles=frozenset(content.get("roles", ())),
            mcp_approvals=content.get("mcp_approvals", {}),
            api=api,
            recorded=content.get("recording", "on") == "on",
            delegation_function=content.get("delegation_function"),
        )


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
