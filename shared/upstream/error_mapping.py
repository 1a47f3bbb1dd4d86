"""Turns upstream's refusals into problems, in this one place.

Error bodies are parsed for their code and dropped: their text may quote the request. Azure's
gateway sends `code` and `message` alone, OpenAI `type` and `param` too, some 400s have no body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from shared.core import logs
from shared.core.problems import Problem
from shared.upstream.transport import Reply

LONGEST_WAIT = timedelta(minutes=10)
"""What a caller is asked to wait at most, whatever upstream says."""
RESETS = (
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-rate-limit-reset-requests",
    "x-rate-limit-reset-tokens",
)
"""OpenAI's spelling, and one seen from Azure."""
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(?:\.[0-9]{0,9})?")
PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
DURATION = re.compile(rf"(?:{PART.pattern}){{1,5}}")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DATE = 64
LONGEST_MESSAGE = 2000
CALL_GONE = "call_id_not_found"
"""The endpoint's own code of a 404 for a call that is over (emulated and reported: codex#35094). A
gateway or a router in between answers 404 with another code, or with none."""


def refusal_problem(reply: Reply, *, sent_offer: bool = False) -> Problem:
    """What an upstream refusal means for the caller; its status and code are logged."""
    error = reply.json().get("error")
    error = error if isinstance(error, dict) else {}
    code, field_name = logs.safe_word(error.get("code")), logs.safe_word(error.get("param"))
    said = error.get("message")
    message = said[:LONGEST_MESSAGE] if isinstance(said, str) else ""
    logs.event("upstream refused", status=reply.status, upstream_code=code, field=field_name)
    name = problem_code(reply.status, code, message, sent_offer)
    if name == "upstream_quota":
        return Problem(name, retry_after=retry_after(reply.headers) or timedelta(seconds=10))
    return Problem(name)


def own_code(reply: Reply) -> str:
    """The error code in a refusal; "" if it has none, or if it is not the endpoint's own JSON."""
    error = reply.json().get("error")
    return logs.safe_word(error.get("code")) if isinstance(error, dict) else ""


def problem_code(status: int, code: str, message: str, sent_offer: bool) -> str:
    """The problem code for an upstream status, error code and message."""
    if code == "DeploymentNotFound":
        return "deployment_not_found"
    # The service itself spells it with two p.
    if code in ("OpperationNotSupported", "OperationNotSupported"):
        return "not_a_realtime_model"
    if code == "model_not_found":
        return "deployment_not_found"
    if status == 429:
        return "upstream_quota"
    if status == 401:
        return "upstream_access_denied"
    if status == 403:
        return "upstream_region" if "region" in message.lower() else "upstream_access_denied"
    if status == 404:
        return "deployment_not_found" if not sent_offer else "upstream_failed"
    if status == 400:
        return "offer_refused" if sent_offer else "profile_refused"
    if status in (408, 504):
        return "upstream_timeout"
    return "upstream_failed"


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """How long upstream asks to wait, at most `LONGEST_WAIT`; None if it does not say it usably.

    `retry-after-ms`, Retry-After in seconds or as a date, or else the longest of the headers that
    say when a rate limit is reset.
    """
    wait = milliseconds(headers.get("retry-after-ms", ""))
    if wait is None:
        value = headers.get("Retry-After", "")
        wait = duration(value)
        if wait is None:
            wait = time_until(value)
    if wait is None:
        resets = [duration(headers.get(name, "")) for name in RESETS]
        wait = max((each for each in resets if each is not None), default=None)
    return None if wait is None else max(timedelta(0), min(wait, LONGEST_WAIT))


def milliseconds(text: str) -> timedelta | None:
    seconds = duration(text)
    return None if seconds is None else seconds / 1000


def duration(text: str) -> timedelta | None:
    """`55`, `0.5`, `-3`, or as OpenAI writes it: `6m0s`, `120ms`. None for anything else."""
    text = text.strip()
    if NUMBER.fullmatch(text):
        return timedelta(seconds=float(text))
    if not DURATION.fullmatch(text):
        return None
    return sum(
        (timedelta(seconds=float(each[1]) * UNITS[each[2]]) for each in PART.finditer(text)),
        timedelta(0),
    )


def time_until(date: str) -> timedelta | None:
    """From now until an HTTP date; None for what is none."""
    if len(date) > LONGEST_DATE:
        return None
    try:
        when = parsedate_to_datetime(date)
        # Without a usable offset it is read as UTC, as HTTP's dates are.
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        return when - datetime.now(UTC)
    except (ValueError, TypeError, IndexError):
        return None
    except OverflowError:
        # The last or the first days that there are.
        return LONGEST_WAIT if when.year > datetime.now(UTC).year else timedelta(0)
