"""What the limits mean: the operations on an account. Pure.

Each operation can be applied twice and counts once, because storage's answer to a write can get
lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from shared.config.settings import SHORTEST_CALL, Limits
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.clock import MILLISECOND
from shared.core.problems import Problem
from shared.limits.account import Account
from shared.limits.booked_call import (
    CALL_SETTLED,
    ENDPOINT,
    FAILED,
    HANDOVER,
    KNOWN_FOR,
    NO_KEY,
    OWN_END,
    SESSION_AT,
    TAKES_OVER,
    UNUSED_KEY,
    BookedCall,
)
from shared.limits.enforcement import enforce_limits, enforce_total
from shared.limits.global_count import GlobalCount
from shared.limits.time_spent import TimedCall
from shared.limits.times import until_utc_midnight, utc_day
from shared.usage.live_usage import MINIMUM_SECONDS

LEAST_OF_SESSION = int(MINIMUM_SECONDS * 1000)
"""The milliseconds that a Live session costs at least."""


class Operation(Protocol):
    """A change of one caller's account."""

    @property
    def name(self) -> str:
        """The booking that it is about."""

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits, /) -> Any:
        """Changes the account and the global count; raises Problem and changes nothing."""


@dataclass(frozen=True, slots=True)
class BookCall:
    """Counts one more call, or one more key of `key_profile` for `key_endpoint`, if the limits
    allow it.

    A call that continues others has the line of the bookings `takes_over`: they end within
    `HANDOVER`, and count no longer. Returns when it must end: after `lasts`, or once the caller's
    time of the day is used up, but not before `shortest`.
    """

    name: str
    lasts: timedelta
    key_profile: str | None = None
    api: VoiceApi = REALTIME
    shortest: timedelta = SHORTEST_CALL
    takes_over: tuple[str, ...] = ()
    key_endpoint: str = ""

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> int:
        if self.name in account.bookings:
            return account.bookings[self.name].ends
        account.drop_expired(now, limits)
        taken = self.lines_of(account.running(now))
        enforce_limits(account, total, now, limits, taken)
        if self.api == LIVE and limits.live_sessions:
            more = sum(SESSION_AT in each.about for each in taken.values())
            enforce_total(total.sessions, limits.live_sessions + more, now, "live_sessions_busy")
        booked = BookedCall(now, now + self.lasts // MILLISECOND)
        if limits.seconds_per_day:
            timed = self.reserve_time(account, now, limits)
            account.time.calls[self.name] = timed
            booked.ends = min(booked.ends, timed.until)
        if self.key_profile is not None:
            booked.key, booked.about = UNUSED_KEY, {"profile": self.key_profile}
            if self.key_endpoint:
                booked.about[ENDPOINT] = self.key_endpoint
        if limits.live_calls_total:
            booked.counted_at = total.add_call(now, booked.ends)
        if self.api == LIVE and limits.live_sessions:
            booked.about = {SESSION_AT: total.add_session(now, booked.ends)}
        if taken:
            booked.about = {**booked.about, TAKES_OVER: list(taken)}
        account.bookings[self.name] = booked
        account.changed = True
        return booked.ends

    def lines_of(self, running: Mapping[str, BookedCall]) -> dict[str, BookedCall]:
        """The lines that it takes over. A key's is not free with its call: it may have started
        others that nobody reported."""
        return {
            name: booked
            for name in self.takes_over
            if (booked := running.get(name)) and booked.key == NO_KEY
        }

    def reserve_time(self, account: Account, now: int, limits: Limits) -> TimedCall:
        """As much time as the call may use. Raises Problem seconds_used_up where too little is
        left beside what running calls may still use."""
        least = LEAST_OF_SESSION if self.api == LIVE else 0
        lasts = self.lasts // MILLISECOND
        shortest = max(least, min(lasts, self.shortest // MILLISECOND))
        account.time.add_untimed(account.bookings)
        until_now = account.time.overtime(now, account.bookings)
        overtime = {**self.ends_of_others(account, now + HANDOVER), **until_now}
        wanted = now + max(lasts, least)
        until = account.time.allowed_end(now, wanted, limits.milliseconds_per_day, overtime)
        if until < now + shortest:
            raise Problem("seconds_used_up", retry_after=until_utc_midnight(now))
        return TimedCall(now, until, least)

    def ends_of_others(self, account: Account, soon: int) -> dict[str, int]:
        """When the calls end whose line this one has."""
        timed = account.time.calls
        others = self.lines_of(account.bookings)
        return {name: min(soon, timed[name].until) for name in others if name in timed}


def needs_total(operation: Operation, account: Account | None, limits: Limits) -> bool:
    """Whether the operation may read or change what is counted of all callers."""
    if limits.live_calls_total:
        return True
    is_live = isinstance(operation, BookCall | HoldCall) and operation.api == LIVE
    if is_live and limits.live_sessions:
        return True
    booked = account.bookings.get(operation.name) if account else None
    return booked is not None and (booked.counted_at > 0 or SESSION_AT in booked.about)


@dataclass(frozen=True, slots=True)
class UndoBooking:
    """Takes a booking back. With `keep_start` it still counts as a start, else as a try."""

    name: str
    keep_start: bool = False

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        booked = account.bookings.get(self.name)
        if booked is None or booked.failed or (self.keep_start and not booked.live):
            return
        if booked.live:
            # What a call has used that was settled before stays counted.
            account.time.calls.pop(self.name, None)
        total.release_call(booked)
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
            # Somebody who read the call's record before this must not hold it after this.
            booked.about, account.changed = {**booked.about, CALL_SETTLED: True}, True
        own_end = booked.ends if booked.key == NO_KEY else booked.about.get(OWN_END)
        if own_end is None:
            return
        if limits.seconds_per_day:
            account.time.add_untimed({self.name: booked})
        is_over = booked.key == NO_KEY or own_end <= now
        if is_over:
            account.time.end_call(now, self.name, booked)
        if booked.key != NO_KEY:
            booked.about = {name: about for name, about in booked.about.items() if name != OWN_END}
            total.move_end(booked, int(own_end), now)
        if is_over:
            total.release_call(booked)
        account.drop_expired(now, limits)
        account.changed = True


@dataclass(frozen=True, slots=True)
class HoldCall:
    """The call's time is up, but at `since` it was not known to be over: it counts as live until
    `until`, or until it is settled."""

    name: str
    since: int
    until: int
    api: VoiceApi = REALTIME

    def apply_to(self, account: Account, total: GlobalCount, now: int, limits: Limits) -> None:
        if self.name not in account.bookings and now > self.since + KNOWN_FOR:
            # Postponed for long: that the call was settled meanwhile may be forgotten.
            return
        # A booking that has run out may have been dropped. It counts as no start.
        booked = account.bookings.setdefault(self.name, BookedCall(0, now))
        if not booked.live or booked.ends >= self.until or booked.about.get(CALL_SETTLED):
            return
        if limits.seconds_per_day:
            account.time.add_untimed({self.name: booked})
            account.time.calls.setdefault(self.name, TimedCall(self.since, self.since))
        if booked.key != NO_KEY:
            booked.about = {OWN_END: booked.ends, **booked.about}
        if limits.live_calls_total and not booked.counted_at:
            booked.counted_at = total.add_call(now, self.until)
        if self.api == LIVE and limits.live_sessions and SESSION_AT not in booked.about:
            booked.about = {**booked.about, SESSION_AT: total.add_session(now, self.until)}
        total.move_end(booked, self.until, now)
        account.changed = True


@dataclass(frozen=True, slots=True)
class ShortenBooking:
    """Whether the call ever began is not known, and never will be: it counts as live until `until`
    and no longer."""

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
        if booked is None or not booked.live or booked.ends <= self.until:
            return
        if timed := account.time.calls.get(self.name):
            timed.until = min(timed.until, max(self.until, timed.started + timed.least))
        total.move_end(booked, self.until, now)
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
