"""A fork: what a stored session had, with what the fork changes."""

from __future__ import annotations

import copy
from typing import Any

from realtime_emulator.live.session_resource import Config
from realtime_emulator.live.session_update import check_delegation_type, merge_delegation
from realtime_emulator.protocol.ids import Provider


def forked_config(provider: Provider, stored: Config, overrides: dict[str, Any]) -> Config:
    """The configuration of the new session. It remembers the conversation and shows no `input`.
    Raises Invalid."""
    config: Config = {**copy.deepcopy(stored), "input": []}
    check_delegation_type(config, overrides.get("delegation"))
    if "delegation" in overrides:
        config["delegation"] = merge_delegation(
            provider, config["delegation"], overrides["delegation"]
        )
    if "audio" in overrides:
        config["audio"] |= overrides["audio"]
    for name in ("client", "store"):
        if name in overrides:
            config[name] = overrides[name]
    return config
