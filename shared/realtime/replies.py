"""What `client_secrets` and `calls` reply: read as untrusted, into keys and answers. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.core.problems import Problem
from shared.realtime.call_ids import call_id_from_location
from shared.upstream.error_mapping import refusal_problem
from shared.upstream.transport import Reply

KEY = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
"""It goes into a header and to pages: the characters of a bearer token (RFC 6750)."""


@dataclass(frozen=True, slots=True)
class EphemeralKey:
    """A key that starts calls of one profile until it expires; its value is not in its repr."""

    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The SDP answer and the id of the call that it starts."""

    sdp: str = field(repr=False)
    call_id: str


@dataclass(frozen=True, slots=True)
class HangUpReply:
    """Upstream's answer to a hang-up: its status and, of a refusal, its own error code.
    calls/termination.py says what it means."""

    status: int
    code: str = ""


class UnusableAnswer(Exception):
    """A call was started, but the response to the offer cannot be used. `call_id` is None where the
    response does not name the call usably."""

    def __init__(self, call_id: str | None, problem: Problem) -> None:
        self.call_id = call_id
        self.problem = problem
        super().__init__(problem.code)


def read_key(reply: Reply, now: datetime) -> EphemeralKey:
    """The key in a 200; its expiry is what was granted, not what was asked. Raises `Problem`."""
    if reply.status != 200:
        raise refusal_problem(reply)
    content = reply.json()
    value, expires_at = content.get("value"), moment(content.get("expires_at"))
    if not isinstance(value, str) or not KEY.fullmatch(value) or expires_at is None:
        raise Problem("upstream_failed", "The model's endpoint answered without a usable key.")
    if expires_at <= now:
        raise Problem("upstream_failed", "The model's endpoint issued a key that has expired.")
    return EphemeralKey(value, expires_at)


def moment(seconds: object) -> datetime | None:
    """The moment so many seconds after 1970; None for what is no such number, or no date."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        # Whole seconds, as both providers send them.
        return datetime.fromtimestamp(math.floor(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_answer(reply: Reply) -> Answer:
    """The answer in a 201 (text/plain from both providers, recorded).

    Raises Problem for a refusal, UnusableAnswer for an answer that starts a call of no use.
    """
    if reply.status not in (200, 201):
        raise refusal_problem(reply, sent_offer=True)
    call_id = call_id_from_location(reply.headers.get("Location", ""))
    if call_id is None:
        raise UnusableAnswer(None, without_call())
    if reply.broken is not None:
        raise UnusableAnswer(call_id, reply.broken)
    try:
        sdp = reply.body.decode()
    except UnicodeDecodeError:
        raise UnusableAnswer(call_id, without_call()) from None
    if not sdp.startswith("v=0"):
        raise UnusableAnswer(call_id, without_call())
    return Answer(sdp, call_id)


def without_call() -> Problem:
    return Problem("upstream_failed", "The model's endpoint answered without a usable call.")
