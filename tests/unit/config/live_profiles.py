"""Profile folders of GPT-Live's calls, as the tests of them load them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.live.media_session_config_param import MediaSessionConfigParam
from pydantic import TypeAdapter

from shared.config.env import ConfigurationError
from shared.config.profiles import Profile, Profiles, load_profiles
from shared.config.settings_loader import load_settings
from shared.tools.samples import sample_tools

ROOT = Path(__file__).resolve().parents[3]
ENV = {"REALTIME_ENDPOINT": "https://demo.openai.azure.com", "REALTIME_MODEL": "gpt-realtime"}
OFFICIAL: TypeAdapter[Any] = TypeAdapter(MediaSessionConfigParam)


def load(folder: Path, **env: str) -> Profiles:
    registry = sample_tools()
    return load_with(frozenset(registry.delegations), folder, **env)


def load_with(delegations: frozenset[str] | None, folder: Path, **env: str) -> Profiles:
    """The profiles, with other functions that do what is delegated to the server."""
    registry = sample_tools()
    chosen = load_settings({**ENV, "REALTIME_PROFILES": str(folder), **env}, ROOT)
    tools = frozenset(registry.tools)
    return load_profiles(chosen, registry.complete_session, tools, delegations=delegations)


def write_talk(folder: Path, **content: Any) -> None:
    """Writes the profile `talk`, beside a default one."""
    (folder / "default.json").write_text(json.dumps({"session": {"type": "realtime"}}))
    (folder / "talk.json").write_text(json.dumps({"api": "live", "session": {}, **content}))


def talk(folder: Path, session: Any, env: dict[str, str] | None = None, **more: Any) -> Profile:
    """The profile `talk` with that session, loaded."""
    write_talk(folder, session=session, **more)
    return load(folder, **(env or {})).named("talk")


def mistakes(folder: Path, session: Any, **more: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as wrong:
        talk(folder, session, **more)
    return tuple(line.partition("talk.json: ")[2] for line in wrong.value.mistakes)
