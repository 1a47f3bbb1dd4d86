"""A value that expires and is costly to make: kept, renewed ahead of time, made once at a time.

The warm ephemeral keys, the identity's access token and Key Vault's secrets are all of this kind.
However many callers wait, one renewal runs; while an old value is still good, nobody waits at all.
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
    """A value and the moment at which it stops being good (aware UTC)."""

    value: T
    until: datetime


def in_a_thread(work: Callable[[], None]) -> None:
    """Runs `work` beside the caller. A daemon: renewing ahead is a courtesy, losing it is fine."""
    threading.Thread(target=work, name="renewal", daemon=True).start()


class RefreshingValue(Generic[T]):
    """Gives a current value for as long as `make` can make one.

    `make` gives a `ExpiringValue`; what it raises reaches everybody who waits for that attempt.
    `ahead` before its end a value is renewed in the background (at most at half of its life).
    With `keep_last` a value whose renewal fails is given for `ahead` longer, expired or not, and
    the next attempts run in the background: each may take its whole timeout.
    """

    def __init__(
        self,
        make: Callable[[], ExpiringValue[T]],
        *,
        ahead: timedelta,
        clock: Clock,
        keep_last: bool = False,
        spawn: Spawn = in_a_thread,
    ) -> None:
        self.make = make
        self.ahead = ahead
        self.clock = clock
        self.keep_last = keep_last
        self.spawn = spawn
        self.lock = threading.Lock()
        self.current: ExpiringValue[T] | None = None
        self.renew_at: datetime | None = None
        self.patient_until: datetime | None = None
        self.attempt: Future[T] | None = None

    def get(self) -> T:
        """The current value; waits only where there is none that is still good."""
        now = self.clock()
        with self.lock:
            current = self.current
            good = current is not None and now < max(current.until, self.patient_until or now)
            due = not good or (self.renew_at is not None and now >= self.renew_at)
            mine = due and self.attempt is None
            if mine:
                self.attempt = Future()
            attempt = self.attempt
        if good:
            assert current is not None
            if mine and attempt is not None:
                self.spawn(lambda: self.renew(attempt))
            return current.value
        assert attempt is not None
        if mine:
            self.renew(attempt)
        try:
            return attempt.result()
        except Exception:
            if self.keep_last and current is not None:
                return current.value
            raise

    def renew(self, attempt: Future[T]) -> None:
        try:
            made = self.make()
        except BaseException as error:
            with self.lock:
                self.attempt = None
                if self.renew_at is not None:
                    # There is a value: leave upstream alone for a while.
                    now = self.clock()
                    self.renew_at = now + self.ahead / 4
                    self.patient_until = now + self.ahead if self.keep_last else None
            attempt.set_exception(error)
            return
        now = self.clock()
        with self.lock:
            self.current = made
            self.patient_until = None
            self.renew_at = max(made.until - self.ahead, now + (made.until - now) / 2)
            self.attempt = None
        attempt.set_result(made.value)

    def drop(self, value: T) -> None:
        """Forgets `value`, if it is still the current one: somebody found that it is not good."""
        with self.lock:
            if self.current is not None and self.current.value == value:
                self.current = None
                self.renew_at = self.patient_until = None
