"""Whether the limits allow one more call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.account import Account
from shared.limits.booked_call import BookedCall
from shared.limits.global_count import EndCounts, GlobalCount
from shared.limits.times import MINUTE, to_timedelta, until_utc_midnight

TRIES_PER_START, FEWEST_TRIES = 5, 10
"""A start that fails by no fault of the caller's does not count as one. But it has cost a request
upstream: a caller has so many tries for each start that is allowed, and never fewer than that."""
LONGEST_WAIT = timedelta(seconds=60)
"""The longest Retry-After for the end of a live call: calls are also hung up before their limit."""


def enforce_limits(
    account: Account,
    total: GlobalCount,
    now: int,
    limits: Limits,
    taken: Mapping[str, BookedCall],
) -> None:
    """Raises the Problem of the first limit that one more call would exceed, if it has the line of
    the bookings `taken`."""
    if account.is_full:
        raise Problem("too_many_starts", retry_after=to_timedelta(MINUTE))
    if limits.starts_per_minute:
        enforce_rate(account, now, limits.starts_per_minute)
    if limits.live_calls:
        live = account.live_calls(now, taken)
        if len(live) >= limits.live_calls:
            ends = min(booked.ends for booked in live)
            wait = min(to_timedelta(ends - now), LONGEST_WAIT)
            raise Problem("too_many_live_calls", retry_after=wait)
    if limits.tokens_per_day and account.tokens_today(now) >= limits.tokens_per_day:
        raise Problem("tokens_used_up", retry_after=until_utc_midnight(now))
    if limits.live_calls_total:
        more = sum(booked.counted_at > 0 for booked in taken.values())
        enforce_total(total.calls, limits.live_calls_total + more, now, "all_lines_busy")


def enforce_rate(account: Account, now: int, starts_per_minute: int) -> None:
    """Raises Problem too_many_starts if the caller has started or tried as much in a minute."""
    tries = max(FEWEST_TRIES, TRIES_PER_START * starts_per_minute)
    recent_and_most = (
        (account.recent_starts(now), starts_per_minute),
        (account.recent_tries(now), tries),
    )
    for recent, most in recent_and_most:
        if len(recent) >= most:
            free = recent[-most] + MINUTE
            raise Problem("too_many_starts", retry_after=to_timedelta(free - now))


def enforce_total(counted: EndCounts, most: int, now: int, code: str) -> None:
    """Raises the Problem of that code if as many calls of all callers are live."""
    if counted.live(now) >= most:
        wait = to_timedelta(counted.earliest_end(now) - now)
        raise Problem(code, retry_after=min(wait, LONGEST_WAIT))
