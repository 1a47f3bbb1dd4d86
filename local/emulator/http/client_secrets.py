"""Ephemeral keys: minted for a session, good for many calls until they expire.

A call that has begun goes on after its key has expired (the API reference; measured on Azure).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local.emulator.protocol import ids

PREFIX = "ek_"
KEPT = timedelta(hours=1)
SWEEP_EVERY = 256


@dataclass(frozen=True, slots=True)
class Key:
    """An ephemeral key. `expires_at` is Unix time; `session` the configuration it carries."""

    value: str
    expires_at: float
    session: dict[str, Any]


class KeyExpired(ValueError):
    """The key was good once."""


class KeyUnknown(ValueError):
    """No such key was minted here."""


class ClientSecrets:
    """Every key that was minted, and a while after its end, so that expiry can be told apart."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.keys: dict[str, Key] = {}

    def mint(self, session: dict[str, Any], life: timedelta) -> Key:
        """A new key for `session` that lives for `life`."""
        now = self.clock()
        if len(self.keys) % SWEEP_EVERY == 0:
            forgotten = now - KEPT.total_seconds()
            self.keys = {v: key for v, key in self.keys.items() if key.expires_at > forgotten}
        key = Key(ids.ephemeral_key(), now + life.total_seconds(), session)
        self.keys[key.value] = key
        return key

    def find(self, value: str) -> Key:
        """The live key of this value.

        Raises:
            KeyUnknown, KeyExpired
        """
        key = self.keys.get(value)
        if key is None:
            raise KeyUnknown
        if key.expires_at <= self.clock():
            raise KeyExpired
        return key
