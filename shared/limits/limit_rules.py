"""What the limits mean: the operations on an account. Pure.

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
    FAILED,
    KNOWN_FOR,
    MINUTE,
    NO_KEY,
    OWN_END,
    UNUSED_KEY,
    USED_KEY,
    Account,
    BookedCall,
    GlobalCount,
    to_timedelta,
    until_utc_midnight,
    utc_day,
)

TRIES_PER_START, FEWEST_TRIES = 5, 10
"""A start that fails by no fault of the caller's does not count as one. But it has cost a request
upstream: a caller has so many tries for each start that is allowed, and never fewer than that."""
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
    """Counts one more call, or one more key of `key_profile`, if the limits allow it."""

    name: str
    lasts: timedelta
    key_profile: str | None = None

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        if self.name in account.bookings:
            return
        account.drop_expired(now, limits)
        enforce_limits(account, total, now, limits)
        booked = BookedCall(now, now + self.lasts // MILLISECOND)
        if self.key_profile is not None:
            booked.key, booked.about = UNUSED_KEY, {"profile": self.key_profile}
        if limits.live_calls_total:
            booked.counted_at = total.add_call(now, booked.ends)
        account.bookings[self.name] = booked
        account.changed = True


def enforce_limits(account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
    """Raises the Problem of the first limit that one more call would exceed."""
    if account.is_full:
        raise Problem("too_many_starts", retry_after=to_timedelta(MINUTE))
    starts = account.recent_starts(now)
    tries = max(FEWEST_TRIES, TRIES_PER_START * limits.starts_per_minute)
    for recent, most in ((starts, limits.starts_per_minute), (account.recent_tries(now), tries)):
        if limits.starts_per_minute and len(recent) >= most:
            free = recent[-most] + MINUTE
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


def count_until(end: int, booked: BookedCall, total: GlobalCount, now: int) -> None:
    """Moves the end until which a call counts as live."""
    if booked.counted_at:
        total.remove_call(booked.counted_at)
        booked.counted_at = total.add_call(now, end)
    booked.ends = end


@dataclass(frozen=True, slots=True)
class UndoBooking:
    """Takes a booking back. With `keep_start` it still counts as a start, else as a try."""

    name: str
    keep_start: bool = False

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or booked.failed or (self.keep_start and not booked.live):
            return
        release_line(booked, total)
        if not self.keep_start and limits.starts_per_minute:
            booked.key, booked.about = NO_KEY, {**booked.about, FAILED: True}
        elif not self.keep_start:
            del account.bookings[self.name]
        else:
            # There is no call that anybody might still ask about.
            booked.ends = min(booked.ends, now - KNOWN_FOR)
        account.drop_expired(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class ExtendKey:
    """The key of that booking lives longer than was asked for: it counts until `until`."""

    name: str
    until: int

    def apply_to(
        self,
        account: Account,
        total: GlobalCount,
        now: int,
        limits: Limits,  # noqa: ARG002
    ) -> None:
        booked = account.bookings.get(self.name)
        if booked is not None and booked.live and booked.ends < self.until:
            count_until(self.until, booked, total, now)
            account.changed = True


@dataclass(frozen=True, slots=True)
class RegisterCall:
    """A page reports a call that it started with a key: the key's booking becomes the call's.

    `call` is a mark of the call. It makes a repeated report harmless: the first one may have been
    written though its answer was lost. Returns the booking's name and end. Raises Problem
    registration_refused where the caller holds no unused key of `profile`.
    """

    profile: str
    call: str
    name: str = ""

    def apply_to(
        self,
        account: Account,
        total: GlobalCount,  # noqa: ARG002
        now: int,
        limits: Limits,  # noqa: ARG002
    ) -> tuple[str, int]:
        for name, booked in account.bookings.items():
            if booked.key == USED_KEY and booked.about.get("call") == self.call:
                return name, booked.ends
        name, booked = self.find_unused_key(account, now)
        booked.key, booked.about = USED_KEY, {**booked.about, "call": self.call}
        account.changed = True
        return name, booked.ends

    def find_unused_key(self, account: Account, now: int) -> tuple[str, BookedCall]:
        """The oldest unused key of the profile; else one whose profile an earlier release did not
        write down."""
        for profile in (self.profile, None):
            for name, booked in account.bookings.items():
                unused = booked.key == UNUSED_KEY and booked.live and booked.ends > now
                if unused and booked.about.get("profile") == profile:
                    return name, booked
        raise Problem("registration_refused")


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """The call that was registered with the key of that booking is somebody else's: the key is
    unused again."""

    name: str
    call: str

    def apply_to(
        self,
        account: Account,
        total: GlobalCount,  # noqa: ARG002
        now: int,  # noqa: ARG002
        limits: Limits,  # noqa: ARG002
    ) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or booked.key != USED_KEY or booked.about.get("call") != self.call:
            return
        booked.key = UNUSED_KEY
        booked.about = {name: value for name, value in booked.about.items() if name != "call"}
        account.changed = True


@dataclass(frozen=True, slots=True)
class SettleCall:
    """The call is over and no longer counts as live.

    A call that a page started with a key counts to its own end, also if it was held past it: the
    same key may have started others that nobody reported.
    """

    name: str

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or not booked.live:
            return
        if booked.key != NO_KEY:
            own_end = booked.about.get(OWN_END)
            if own_end is None:
                return
            booked.about = {name: about for name, about in booked.about.items() if name != OWN_END}
            count_until(int(own_end), booked, total, now)
        if booked.key == NO_KEY or booked.ends <= now:
            release_line(booked, total)
        account.drop_expired(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class HoldCall:
    """The call's time is up, but at `since` it was not known to be over: it counts as live until
    `until`, or until it is settled."""

    name: str
    since: int
    until: int

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        if self.name not in account.bookings and now > self.since + KNOWN_FOR:
            # Postponed for long: that the call was settled meanwhile may be forgotten.
            return
        # A booking that has run out may have been dropped. It counts as no start.
        booked = account.bookings.setdefault(self.name, BookedCall(0, now))
        if not booked.live or booked.ends >= self.until:
            return
        if booked.key != NO_KEY:
            booked.about = {OWN_END: booked.ends, **booked.about}
        if limits.live_calls_total and not booked.counted_at:
            booked.counted_at = total.add_call(now, self.until)
        count_until(self.until, booked, total, now)
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
