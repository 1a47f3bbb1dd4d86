"""Turns upstream's refusals into problems, in this one place.

What a refusal means is in known_refusals.py. Its text reaches no caller, and the log only scrubbed:
it may quote the request.
"""

from __future__ import annotations

from datetime import timedelta

from shared.core import logs
from shared.core.problems import Problem
from shared.upstream.error_body import ErrorBody, read_error
from shared.upstream.known_refusals import known_refusal
from shared.upstream.offer_reasons import offer_reason
from shared.upstream.refusal_row import SESSION, Sent
from shared.upstream.retry_after import retry_after
from shared.upstream.transport import Reply

CALL_GONE = "call_id_not_found"
"""The endpoint's own code of a 404 for a call that is over (emulated and reported: codex#35094). A
gateway or a router in between answers 404 with another code, or with none."""
QUOTA_WAIT = timedelta(seconds=10)
"""What a caller waits for a rate limit that does not say for how long it holds."""
QUOTAS = frozenset({"upstream_quota", "live_sessions_full"})
PASSING = QUOTAS | {"upstream_failed", "upstream_timeout"}
"""Problems that pass by themselves."""


def refusal_problem(reply: Reply, *, on: Sent = SESSION) -> Problem:
    """What an upstream refusal means for the caller. What it says is logged, with the request id by
    which the endpoint's operator finds it."""
    error = read_error(reply)
    problem = problem_of(error, on=on)
    logs.event("upstream refused", **error.evidence(), problem=problem.code)
    return problem


def problem_of(error: ErrorBody, *, on: Sent = SESSION) -> Problem:
    """The problem that a refusal is, to be raised; nothing is logged."""
    known = known_refusal(error, on=on)
    detail = known.detail or None
    if known.problem == "offer_refused" and (reason := offer_reason(error)):
        detail = f"The model's endpoint refused the offer: {reason}."
    wait = None
    if known.problem in PASSING:
        wait = retry_after(error.headers, status=error.status, message=error.message)
    if known.problem in QUOTAS:
        wait = wait or QUOTA_WAIT
    return Problem(known.problem, detail, retry_after=wait)


def is_passing(reply: Reply) -> bool:
    """Whether the same request may succeed later without anybody's doing."""
    if reply.status != 429 and reply.status < 500:
        return False
    return problem_of(read_error(reply)).code in PASSING


def own_code(reply: Reply) -> str:
    """The error code in a refusal; "" if it has none, or if it is not the endpoint's own JSON."""
    error = reply.json().get("error")
    return logs.safe_word(error.get("code")) if isinstance(error, dict) else ""
