"""The warm ephemeral key of each profile.

One key starts many calls until it expires, and a started call outlives it (measured on Azure), so
one is kept per profile and a warm start costs one request upstream instead of two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from shared.config.profiles import Profile
from shared.core.clock import Clock
from shared.core.refreshing import ExpiringValue, RefreshingValue, Spawn, in_a_thread
from shared.realtime.client import EphemeralKey

Mint = Callable[[Profile, timedelta], EphemeralKey]

# Long enough to be rare, short enough that a key which leaked from memory is soon worthless.
LIFE = timedelta(minutes=30)
AHEAD = timedelta(minutes=5)
# A key must still be good when the offer arrives upstream.
MARGIN = timedelta(seconds=30)


class EphemeralKeyCache:
    """Keeps one key per profile. `mint` makes one of a given life; it raises `Problem`."""

    def __init__(
        self,
        mint: Mint,
        *,
        clock: Clock,
        life: timedelta = LIFE,
        ahead: timedelta = AHEAD,
        margin: timedelta = MARGIN,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.mint = mint
        self.clock = clock
        self.life = life
        self.ahead = ahead
        self.margin = margin
        self.spawn = spawn
        self.lock = threading.Lock()
        self.kept: dict[str, RefreshingValue[EphemeralKey]] = {}

    def key(self, profile: Profile) -> EphemeralKey:
        """A key for `profile`; waits only where there is none that is still good."""
        return self.of(profile).get()

    def drop(self, profile: Profile, key: EphemeralKey) -> None:
        """Forgets `key`: upstream does not take it."""
        self.of(profile).drop(key)

    def of(self, profile: Profile) -> RefreshingValue[EphemeralKey]:
        with self.lock:
            if profile.name not in self.kept:
                self.kept[profile.name] = RefreshingValue(
                    lambda: self.minted(profile),
                    ahead=self.ahead,
                    clock=self.clock,
                    spawn=self.spawn,
                )
            return self.kept[profile.name]

    def minted(self, profile: Profile) -> ExpiringValue[EphemeralKey]:
        key = self.mint(profile, self.life)
        return ExpiringValue(key, key.expires_at - self.margin)
