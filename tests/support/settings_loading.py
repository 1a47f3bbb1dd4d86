"""Loads app settings as tests change them, and tells their mistakes by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from shared.config.env import ConfigurationError
from shared.config.settings import Settings
from shared.config.settings_loader import load_settings

ROOT = Path(__file__).resolve().parents[2]
GOOD: Final = {
    "REALTIME_ENDPOINT": "https://demo.openai.azure.com",
    "REALTIME_MODEL": "gpt-realtime",
}
GOV: Final = {"REALTIME_ENDPOINT": "https://demo.openai.azure.us"}
CHINA: Final = {"REALTIME_ENDPOINT": "https://demo.openai.azure.cn"}
VAULT: Final = {"KEY_VAULT_URI": "https://demo.vault.azure.net"}
BY_KEY: Final = {"REALTIME_API_KEY": "k" * 32}


def load(*parts: dict[str, str], **env: str) -> Settings:
    """The settings of `GOOD`, changed by `parts` and then by `env`."""
    given = dict(GOOD)
    for part in parts:
        given |= part
    return load_settings({**given, **env}, ROOT)


def mistakes(*parts: dict[str, str], **env: str) -> dict[str, str]:
    """What was expected, by setting."""
    with pytest.raises(ConfigurationError) as wrong:
        load(*parts, **env)
    return dict(mistake.split(": ", 1) for mistake in wrong.value.mistakes)
