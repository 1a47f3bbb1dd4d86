"""The warm ephemeral key of each profile.

One key starts many calls until it expires, and a call outlives its key (measured on Azure). So one
is kept per profile, and a warm start takes one request upstream instead of two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from shared.config.profiles import Profile
from shared.core.clock import Clock
from shared.core.exchange import TERMS, deadline_within
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue, Spawn, in_a_thread
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_keys import EphemeralKey

MintKey = Callable[[Profile, timedelta], EphemeralKey]

# Long enough that minting is rare, short enough that a key leaked from memory is soon worthless.
LIFE = timedelta(minutes=30)
AHEAD = timedelta(minutes=5)
# A key must still be valid when the offer arrives upstream.
MARGIN = timedelta(seconds=30)


class KeyMinter:
    """Mints keys for profiles, private instructions included. A try takes at most `budget`."""

    def __init__(self, client: RealtimeClient, vault: SecretStore, budget: timedelta) -> None:
        self.client = client
        self.vault = vault
        self.budget = budget

    def mint_key(self, profile: Profile, life: timedelta) -> EphemeralKey:
        """A new key for `profile`, good for `life`. Raises `Problem`."""
        return self.client.mint_key(self.complete(profile), life, deadline_within(self.budget))

    def complete(self, profile: Profile) -> Profile:
        """`profile` with its private instructions. Raises the Problems of `SecretStore.secret`."""
        return complete_profile(profile, self.vault)


class EphemeralKeyCache:
    """Keeps one key per profile. `mint_key` makes one with a given life; it raises `Problem`."""

    def __init__(
        self,
        mint_key: MintKey,
        *,
        clock: Clock,
        life: timedelta = LIFE,
        ahead: timedelta = AHEAD,
        margin: timedelta = MARGIN,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.mint_key = mint_key
        self.clock = clock
        self.life = life
        self.ahead = ahead
        self.margin = margin
        self.spawn = spawn
        self.lock = threading.Lock()
        self.kept: dict[str, RefreshingValue[EphemeralKey]] = {}

    def key(self, profile: Profile) -> EphemeralKey:
        """A key for `profile`; waits only if there is no valid one, and no longer than this
        thread's deadline. Raises `Problem`."""
        deadline = TERMS.get().deadline
        try:
            return self.kept_key(profile).get(deadline.seconds_left if deadline else None)
        except TimeoutError:
            raise Problem("upstream_timeout") from None

    def drop_key(self, profile: Profile, key: EphemeralKey) -> None:
        """Forgets `key`: upstream does not accept it."""
        self.kept_key(profile).drop(key)

    def kept_key(self, profile: Profile) -> RefreshingValue[EphemeralKey]:
        with self.lock:
            if profile.name not in self.kept:
                self.kept[profile.name] = RefreshingValue(
                    lambda: self.mint_expiring(profile),
                    ahead=self.ahead,
                    clock=self.clock,
                    spawn=self.spawn,
                )
            return self.kept[profile.name]

    def mint_expiring(self, profile: Profile) -> ExpiringValue[EphemeralKey]:
        key = self.mint_key(profile, self.life)
        return ExpiringValue(key, key.expires_at - self.margin)
