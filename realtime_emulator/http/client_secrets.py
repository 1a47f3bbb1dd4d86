"""Ephemeral keys: minted for a session, valid for any number of calls until they expire.

A call in progress outlives its key (the API reference; measured on Azure).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from realtime_emulator.protocol import ids

PREFIX = "ek_"
DEFAULT_LIFE = {"azure": timedelta(seconds=7200), "openai": timedelta(seconds=600)}
KEPT = timedelta(hours=1)
SWEEP_EVERY = 256


@dataclass(frozen=True, slots=True)
class EphemeralKey:
    """`expires_at` is Unix time; `session` the configuration of calls made with the key."""

    value: str
    expires_at: float
    session: dict[str, Any]


class KeyExpired(ValueError):
    """The key was valid once."""


class KeyUnknown(ValueError):
    """The emulator minted no such key."""


class ClientSecrets:
    """All keys, kept for a while after they expire so that expired and unknown keys differ."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.keys: dict[str, EphemeralKey] = {}

    def mint_key(self, session: dict[str, Any], life: timedelta) -> EphemeralKey:
        """A new key for `session` that expires after `life`."""
        now = self.clock()
        if len(self.keys) % SWEEP_EVERY == 0:
            cutoff = now - KEPT.total_seconds()
            self.keys = {v: key for v, key in self.keys.items() if key.expires_at > cutoff}
        key = EphemeralKey(ids.ephemeral_key(), now + life.total_seconds(), session)
        self.keys[key.value] = key
        return key

    def find_key(self, value: str) -> EphemeralKey:
        """The key with this value. Raises KeyUnknown or KeyExpired."""
        key = self.keys.get(value)
        if key is None:
            raise KeyUnknown
        if key.expires_at <= self.clock():
            raise KeyExpired
        return key
