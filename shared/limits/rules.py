"""What the limits mean: the five operations on an account. Pure.

Each operation can be applied twice and counts once, because storage's answer to a write can get
lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from shared.config.settings import Limits
from shared.core.clock import MILLISECOND
from shared.core.problems import Problem
from shared.limits.account import (
    MINUTE,
    NO_KEY,
    UNUSED_KEY,
    USED_KEY,
    Account,
    BookedCall,
    GlobalCount,
    to_timedelta,
    until_utc_midnight,
    utc_day,
)

LONGEST_WAIT = timedelta(seconds=60)
"""The longest Retry-After for the end of a live call: calls are also hung up before their limit."""


class Operation(Protocol):
    """A change of one caller's account."""

    @property
    def name(self) -> str:
        """The booking that it is about."""

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> Any:
        """Changes the account and the global count; raises Problem and changes nothing."""


@dataclass(frozen=True, slots=True)
class BookCall:
    """Counts one more call, or one more key that may start a call, if the limits allow it."""

    name: str
    lasts: timedelta
    key: bool = False

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        if self.name in account.bookings:
            return
        account.drop_expired(now, limits)
        enforce_limits(account, total, now, limits)
        key = UNUSED_KEY if self.key else NO_KEY
        booked = BookedCall(now, now + self.lasts // MILLISECOND, key=key)
        if limits.live_calls_total:
            booked.counted_at = total.add_call(now, booked.ends)
        account.bookings[self.name] = booked
        account.changed = True


def enforce_limits(account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
    """Raises the Problem of the first limit that one more call would exceed."""
    starts = account.recent_starts(now)
    if limits.starts_per_minute and len(starts) >= limits.starts_per_minute:
        free = starts[-limits.starts_per_minute] + MINUTE
        raise Problem("too_many_starts", retry_after=to_timedelta(free - now))
    live = account.live_calls(now)
    if limits.live_calls and len(live) >= limits.live_calls:
        ends = min(booked.ends for booked in live)
        wait = min(to_timedelta(ends - now), LONGEST_WAIT)
        raise Problem("too_many_live_calls", retry_after=wait)
    if limits.tokens_per_day and account.tokens_today(now) >= limits.tokens_per_day:
        raise Problem("tokens_used_up", retry_after=until_utc_midnight(now))
    if limits.live_calls_total and total.live_calls(now) >= limits.live_calls_total:
        ends = min(end for end in total.ends if end > now)
        wait = min(to_timedelta(ends - now), LONGEST_WAIT)
        raise Problem("all_lines_busy", retry_after=wait)


def release_line(booked: BookedCall, total: GlobalCount) -> None:
    """Stops counting an ended call as live."""
    if booked.live and booked.counted_at:
        total.remove_call(booked.counted_at)
    booked.live = False


@dataclass(frozen=True, slots=True)
class UndoBooking:
    """Takes a booking back. With `keep_start` it still counts as a start."""

    name: str
    keep_start: bool = False

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or (self.keep_start and not booked.live):
            return
        release_line(booked, total)
        if not self.keep_start:
            del account.bookings[self.name]
        account.drop_expired(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class RegisterCall:
    """A page reports a call that it started with a key: the key's booking becomes the call's.

    A second call with the same key is booked as one more, as `name`. Returns the booking's name.
    """

    name: str
    lasts: timedelta

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> str:
        if self.name in account.bookings:
            return self.name
        for name, booked in account.bookings.items():
            if booked.key == UNUSED_KEY and booked.live and booked.ends > now:
                booked.key = USED_KEY
                account.changed = True
                return name
        BookCall(self.name, self.lasts).apply_to(account, total, now, limits)
        return self.name


@dataclass(frozen=True, slots=True)
class SettleCall:
    """The call is over and no longer counts as live.

    A call that a page started with a key counts to its own end: the same key may have started
    others that nobody reported.
    """

    name: str

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or not booked.live or booked.key != NO_KEY:
            return
        release_line(booked, total)
        account.drop_expired(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """What a caller has used of the day's tokens. A `limit` of 0 is no limit."""

    used_today: int
    limit: int

    @property
    def used_up(self) -> bool:
        """Whether the caller's calls must end."""
        return bool(self.limit) and self.used_today >= self.limit


@dataclass(frozen=True, slots=True)
class CountTokens:
    """The call has used `tokens` since its start: reporting the same number again adds nothing."""

    name: str
    tokens: int

    def apply_to(
        self,
        account: Account,
        total: GlobalCount,  # noqa: ARG002
        now: int,
        limits: Limits,
    ) -> TokenBudget:
        booked = account.bookings.get(self.name)
        more = self.tokens - booked.tokens if booked else 0
        if booked and more > 0:
            booked.tokens = self.tokens
            account.tokens = account.tokens_today(now) + more
            account.day = utc_day(now)
            account.changed = True
        return TokenBudget(account.tokens_today(now), limits.tokens_per_day)
