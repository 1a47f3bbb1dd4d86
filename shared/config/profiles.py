"""Session profiles: files in profiles/ -> the session config that a call gets.

A profile is the server's: a page names one, it never sends one. Fields are those of the GA session
(OpenAI's API specification and official Python types, 2026), held against
profiles/profile.schema.json when the app starts, all mistakes of all files at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.config.env import ConfigurationError
from shared.config.settings import Settings
from shared.core.json_schema import did_you_mean, validation_errors
from shared.core.problems import Problem

SCHEMA_FILE = Path(__file__).parents[2] / "profiles" / "profile.schema.json"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DEFAULT = "default"
FillTools = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One session profile: its name, the session config, and whether events are filtered.

    `filtered`: the page's data channel carries captions and little else, so that instructions and
    tools stay on the server (Azure's `webrtcfilter=on`). `instructions_secret` names the secret in
    Key Vault that holds the instructions, see `with_instructions`. `session_from_page`: the page
    may replace instructions and tools; if not, the observer puts them back. `goodbye` tells the
    model what to say when the server ends the call.
    """

    name: str
    session: Mapping[str, Any]
    filtered: bool = True
    instructions_secret: str | None = None
    session_from_page: bool = False
    goodbye: str | None = None

    def with_instructions(self, secret: Callable[[str], str]) -> Profile:
        """The profile as it is sent, private instructions included. `secret` may raise Problem."""
        if self.instructions_secret is None:
            return self
        session = {**self.session, "instructions": secret(self.instructions_secret)}
        return replace(self, session=session)

    @property
    def model(self) -> str:
        """The deployment (Azure) or the model (OpenAI) that answers the call."""
        return str(self.session["model"])


class Profiles:
    """The profiles by name."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.by_name = MappingProxyType(dict(profiles))

    def named(self, name: str | None) -> Profile:
        """The profile of that name; None or "" is the default. Raises Problem unknown_profile."""
        found = self.by_name.get(name or DEFAULT)
        if found is None:
            raise Problem("unknown_profile")
        return found


def load(settings: Settings, complete: FillTools = dict) -> Profiles:
    """Reads every profile file of `settings.profiles`; raises `ConfigurationError`.

    `complete` fills in what is known elsewhere of a session: the tools that run on the server.
    """
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    found: dict[str, Profile] = {}
    wrong: list[str] = []
    for file in sorted(settings.profiles.glob("*.json")):
        if file.name == SCHEMA_FILE.name:
            continue
        where = f"{settings.profiles.name}/{file.name}"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            wrong.append(f"{where}: not JSON")
            continue
        trouble = validation_errors(content, schema)
        if not NAME.fullmatch(file.stem):
            trouble.append("the file's name: expected small letters, digits and hyphens")
        elif isinstance(content, dict) and content.get("instructions_secret"):
            trouble += private(content, settings)
        wrong += [f"{where}: {line}" for line in trouble]
        if not trouble:
            found[file.stem] = profile(file.stem, content, settings, complete)
    if DEFAULT not in found and not wrong:
        names = {file.stem for file in settings.profiles.glob("*.json")}
        wrong.append(
            f"REALTIME_PROFILES: expected a folder with default.json{did_you_mean(DEFAULT, names)}"
        )
    if wrong:
        raise ConfigurationError(wrong)
    return Profiles(found)


def private(content: Mapping[str, Any], settings: Settings) -> list[str]:
    """What is wrong with a profile whose instructions are in Key Vault."""
    found = []
    if not settings.vault_uri:
        found.append("instructions_secret: expected KEY_VAULT_URI to be set too")
    if "instructions" in content.get("session", {}):
        found.append("session.instructions: expected nothing beside instructions_secret")
    return found


def profile(
    name: str, content: Mapping[str, Any], settings: Settings, complete: FillTools
) -> Profile:
    """A checked file's content as a `Profile`, with what the settings fill in."""
    session = dict(complete(content["session"]))
    session.setdefault("model", settings.model)
    if settings.transcription_model:
        session = with_default(session, "input", "transcription", transcription(settings))
    if name == DEFAULT:
        if settings.instructions and "instructions_secret" not in content:
            session["instructions"] = settings.instructions
        if settings.voice:
            session = with_default(session, "output", "voice", settings.voice, replace=True)
    return Profile(
        name,
        session,
        filtered=content.get("webrtc_filter", "on") == "on",
        instructions_secret=content.get("instructions_secret"),
        session_from_page=content.get("session_from_page", False),
        goodbye=content.get("goodbye"),
    )


def transcription(settings: Settings) -> dict[str, Any]:
    return {"model": settings.transcription_model}


def with_default(
    session: Mapping[str, Any], side: str, field: str, value: Any, *, replace: bool = False
) -> dict[str, Any]:
    """`session` with `audio.<side>.<field>` set, where it is not yet or `replace` says so."""
    audio = dict(session.get("audio", {}))
    settings = dict(audio.get(side, {}))
    if replace or field not in settings:
        settings[field] = value
    return {**session, "audio": {**audio, side: settings}}
