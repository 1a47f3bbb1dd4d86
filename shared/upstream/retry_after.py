"""How long upstream asks to wait: Retry-After, or else when its rate limits are reset. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_WAIT = timedelta(minutes=10)
"""What a caller is asked to wait at most, whatever upstream says."""
RESET = re.compile(r"(?:x-)?rate-?limit-reset(?:-[a-z0-9_-]{1,60})?")
"""`x-ratelimit-reset-tokens` is OpenAI's spelling; `x-rate-limit-reset-tokens` was seen from Azure;
gateways use it without a suffix."""
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,9})?")
MOMENT = re.compile(r"[0-9]{10}(?:\.[0-9]{0,9})?")
"""Seconds since 1970, as some gateways write a reset."""
PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|us|\u00b5s|ns|s|m|h|d)")
DURATION = re.compile(rf"(?:{PART.pattern}){{1,5}}")
UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
}
CLOCK = re.compile(r"(?:replenished|reset|again) in ([0-9]{1,3}):([0-9]{2}):([0-9]{2})\b")
IN_WORDS = re.compile(
    r"(?:retry|try again|try your request again) (?:after|in) ([0-9]{1,6}(?:\.[0-9]{1,6})?) ?"
    r"(milliseconds?|seconds?|minutes?|hours?|days?)\b"
)
IN_SHORT = re.compile(r"(?:retry|try again) (?:after|in) ([0-9][0-9a-z.]{0,30})")
WORDS = {"milli": 1e-3, "second": 1, "minute": 60, "hour": 3600, "day": 86400}
MOST_SECONDS = 1e9
"""Longer than any wait, and no more than a timedelta can hold."""
LONGEST_DATE = 64
RATE_LIMITED = (429, 503)
"""Statuses that a limit's reset explains: OpenAI sends those headers with every reply."""


def retry_after(
    headers: Mapping[str, str], *, status: int = 429, message: str = ""
) -> timedelta | None:
    """How long upstream asks to wait, at most `LONGEST_WAIT`; None if it does not say it usably.

    `retry-after-ms`, or Retry-After in seconds or as a date; for a refusal by a rate limit else
    the longest of the headers that say when one is reset, or else what the message says. Limits
    that the headers call unused are passed over.
    """
    wait = milliseconds(headers.get("retry-after-ms", ""))
    if wait is None:
        wait = duration_or_date(headers.get("Retry-After", ""))
    if wait is None and status in RATE_LIMITED:
        wait = longest_reset(headers)
    if wait is None and status in RATE_LIMITED:
        wait = wait_in_words(message.lower())
    return None if wait is None else max(timedelta(0), min(wait, LONGEST_WAIT))


def longest_reset(headers: Mapping[str, str]) -> timedelta | None:
    """Until the last limit is reset that may have refused the request."""
    resets, used_up = [], []
    for name in headers:
        if not RESET.fullmatch(name.lower()):
            continue
        wait = duration_or_date(headers.get(name, ""))
        if wait is None:
            continue
        resets.append(wait)
        remaining = headers.get(name.lower().replace("reset", "remaining"), "").strip()
        if NUMBER.fullmatch(remaining) and float(remaining) <= 0:
            used_up.append(wait)
    return max(used_up or resets, default=None)


def wait_in_words(message: str) -> timedelta | None:
    """`Please retry after 55 seconds.`, `Please try again in 6m0s.`, or API Management's `Quota
    will be replenished in 01:02:03`."""
    if found := CLOCK.search(message):
        hours, minutes, seconds = (int(each) for each in found.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if found := IN_WORDS.search(message):
        unit = next(size for name, size in WORDS.items() if found[2].startswith(name))
        return timedelta(seconds=float(found[1]) * unit)
    found = IN_SHORT.search(message)
    return duration(found[1].rstrip(".")) if found else None


def milliseconds(text: str) -> timedelta | None:
    seconds = duration(text)
    return None if seconds is None else seconds / 1000


def duration_or_date(text: str) -> timedelta | None:
    wait = duration(text)
    return time_until(text) if wait is None else wait


def duration(text: str) -> timedelta | None:
    """`55`, `0.5`, `-3`, or as OpenAI writes it: `6m0s`, `120ms`. None for anything else."""
    text = text.strip()
    if NUMBER.fullmatch(text):
        return timedelta(seconds=float(text))
    if MOMENT.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC) - datetime.now(UTC)
    if not DURATION.fullmatch(text):
        return None
    seconds = sum(float(each[1]) * UNITS[each[2]] for each in PART.finditer(text))
    return timedelta(seconds=min(seconds, MOST_SECONDS))


def time_until(date: str) -> timedelta | None:
    """From now until a date of HTTP or of ISO 8601; None for what is none."""
    if len(date) > LONGEST_DATE:
        return None
    when = read_iso_date(date.strip())
    try:
        when = when or parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        # Without a usable offset it is read as UTC, as HTTP's dates are.
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        return when - datetime.now(UTC)
    except OverflowError:
        # The last or the first days that there are.
        return LONGEST_WAIT if when.year > datetime.now(UTC).year else timedelta(0)


def read_iso_date(date: str) -> datetime | None:
    """`2026-01-31T12:00:00Z`, as some gateways write a reset."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{5,30}", date):
        return None
    try:
        return datetime.fromisoformat(date)
    except ValueError:
        return None
