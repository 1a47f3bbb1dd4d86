"""What limits mean: the five things that happen to an account. Pure.

Each may be applied twice and counts once, because an answer of storage can get lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.account import (
    MINUTE,
    UNUSED,
    USED,
    Account,
    BookedCall,
    GlobalCount,
    day_of,
    span,
    until_midnight,
)

MILLISECOND = timedelta(milliseconds=1)
SOON = timedelta(seconds=60)
"""The longest Retry-After for a live call's end: calls are hung up before that, too."""


class Operation(Protocol):
    """A change of one caller's account."""

    @property
    def name(self) -> str:
        """Which booking it is about."""

    def apply(self, account: Account, everyone: GlobalCount, now: int, limits: Limits) -> Any:
        """Changes the account, and the count over all; raises Problem, changing nothing."""


@dataclass(frozen=True, slots=True)
class Book:
    """Counts one more call, or one more key that may start one, if the limits allow."""

    name: str
    lasts: timedelta
    key: bool = False

    def apply(self, account: Account, everyone: GlobalCount, now: int, limits: Limits) -> None:
        if self.name in account.held:
            return
        account.forget(now, limits)
        check(account, everyone, now, limits)
        held = BookedCall(now, now + self.lasts // MILLISECOND, key=UNUSED if self.key else 0)
        if limits.live_calls_total:
            held.counted_at = everyone.add(now, held.ends)
        account.held[self.name] = held
        account.changed = True


def check(account: Account, everyone: GlobalCount, now: int, limits: Limits) -> None:
    """Raises the Problem of the first limit that one more call would go over."""
    starts = account.starts(now)
    if limits.starts_per_minute and len(starts) >= limits.starts_per_minute:
        free = starts[-limits.starts_per_minute] + MINUTE
        raise Problem("too_many_starts", retry_after=span(free - now))
    live = account.live(now)
    if limits.live_calls and len(live) >= limits.live_calls:
        ends = min(held.ends for held in live)
        raise Problem("too_many_live_calls", retry_after=min(span(ends - now), SOON))
    if limits.tokens_per_day and account.used(now) >= limits.tokens_per_day:
        raise Problem("tokens_used_up", retry_after=until_midnight(now))
    if limits.live_calls_total and everyone.live(now) >= limits.live_calls_total:
        ends = min(end for end in everyone.ends if end > now)
        raise Problem("all_lines_busy", retry_after=min(span(ends - now), SOON))


def release(held: BookedCall, everyone: GlobalCount) -> None:
    """Takes a call that is over out of the counts of live ones."""
    if held.live and held.counted_at:
        everyone.remove(held.counted_at)
    held.live = False


@dataclass(frozen=True, slots=True)
class Undo:
    """Takes a booking back. `keep_start` leaves it counted as a start."""

    name: str
    keep_start: bool = False

    def apply(self, account: Account, everyone: GlobalCount, now: int, limits: Limits) -> None:
        held = account.held.get(self.name)
        if held is None or (self.keep_start and not held.live):
            return
        release(held, everyone)
        if not self.keep_start:
            del account.held[self.name]
        account.forget(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class Register:
    """A page tells of a call that it started with a key: that key's booking is the call's.

    A second call with the same key is booked as one more, as `name`. Gives the booking's name.
    """

    name: str
    lasts: timedelta

    def apply(self, account: Account, everyone: GlobalCount, now: int, limits: Limits) -> str:
        if self.name in account.held:
            return self.name
        for name, held in account.held.items():
            if held.key == UNUSED and held.live and held.ends > now:
                held.key = USED
                account.changed = True
                return name
        Book(self.name, self.lasts).apply(account, everyone, now, limits)
        return self.name


@dataclass(frozen=True, slots=True)
class Settle:
    """The call is over: it counts as live no longer.

    Unless it was started with a key that a page has: that may have started others, unseen, so it
    counts to its own end.
    """

    name: str

    def apply(self, account: Account, everyone: GlobalCount, now: int, limits: Limits) -> None:
        held = account.held.get(self.name)
        if held is None or not held.live or held.key:
            return
        release(held, everyone)
        account.forget(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class Spent:
    """What a caller has used of the day's tokens. `limit` 0 is no limit."""

    today: int
    limit: int

    @property
    def used_up(self) -> bool:
        """Whether the caller's calls must end."""
        return bool(self.limit) and self.today >= self.limit


@dataclass(frozen=True, slots=True)
class Spend:
    """The call has used `tokens` so far, since its start: telling it again adds nothing."""

    name: str
    tokens: int

    def apply(
        self,
        account: Account,
        everyone: GlobalCount,  # noqa: ARG002
        now: int,
        limits: Limits,
    ) -> Spent:
        held = account.held.get(self.name)
        more = self.tokens - held.tokens if held else 0
        if held and more > 0:
            held.tokens = self.tokens
            account.tokens = account.used(now) + more
            account.day = day_of(now)
            account.changed = True
        return Spent(account.used(now), limits.tokens_per_day)
