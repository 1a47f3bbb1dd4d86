"""A value that expires and is slow to make: cached, refreshed early, made once at a time.

Warm ephemeral keys, the identity's access token and Key Vault's secrets are all of this kind.
However many threads wait, one refresh runs; while the old value is still valid, nobody waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.core.clock import Clock

T = TypeVar("T")
Spawn = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class ExpiringValue(Generic[T]):
    """A value and the moment at which it expires (aware, UTC)."""

    value: T
    until: datetime


def in_a_thread(work: Callable[[], None]) -> None:
    """Runs `work` in the background. A daemon: an early refresh may be lost at shutdown."""
    threading.Thread(target=work, name="refresh", daemon=True).start()


class RefreshingValue(Generic[T]):
    """Gives a valid value for as long as `make` can make one.

    `make` gives an `ExpiringValue`; what it raises reaches everybody who waits for that attempt.
    A value is refreshed in the background `ahead` of its expiry, but not before half of its life.
    With `serve_stale`, a value whose refresh failed is served for `ahead` longer, expired or not,
    and the next attempts run in the background: each may take its whole timeout.
    """

    def __init__(
        self,
        make: Callable[[], ExpiringValue[T]],
        *,
        ahead: timedelta,
        clock: Clock,
        serve_stale: bool = False,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.make = make
        self.ahead = ahead
        self.clock = clock
        self.serve_stale = serve_stale
        self.spawn = spawn
        self.lock = threading.Lock()
        self.current: ExpiringValue[T] | None = None
        self.refresh_at: datetime | None = None
        self.stale_until: datetime | None = None
        self.attempt: Future[T] | None = None

    def get(self, patience: float | None = None) -> T:
        """The current value; waits only if there is no valid one, and at most `patience` seconds
        for another thread's attempt. Raises TimeoutError then."""
        now = self.clock()
        with self.lock:
            current = self.current
            valid = current is not None and now < max(current.until, self.stale_until or now)
            due = not valid or (self.refresh_at is not None and now >= self.refresh_at)
            mine = due and self.attempt is None
            if mine:
                self.attempt = Future()
            attempt = self.attempt
        if valid:
            assert current is not None
            if mine and attempt is not None:
                self.spawn(lambda: self.refresh(attempt))
            return current.value
        assert attempt is not None
        if mine:
            self.refresh(attempt)
        try:
            return attempt.result(patience)
        except Exception:
            if self.serve_stale and current is not None:
                return current.value
            raise

    def refresh(self, attempt: Future[T]) -> None:
        try:
            made = self.make()
        except BaseException as error:
            with self.lock:
                self.attempt = None
                if self.refresh_at is not None:
                    # There is a value, so do not retry upstream at once.
                    now = self.clock()
                    self.refresh_at = now + self.ahead / 4
                    self.stale_until = now + self.ahead if self.serve_stale else None
            attempt.set_exception(error)
            return
        now = self.clock()
        with self.lock:
            self.current = made
            self.stale_until = None
            self.refresh_at = max(made.until - self.ahead, now + (made.until - now) / 2)
            self.attempt = None
        attempt.set_result(made.value)

    def drop(self, value: T) -> None:
        """Forgets `value` if it is still the current one: somebody found it invalid."""
        with self.lock:
            if self.current is not None and self.current.value == value:
                self.current = None
                self.refresh_at = self.stale_until = None
