"""What starts a call upstream gives: the answer to the page's offer, a call of no use, or the
certainty that no call has begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.core.problems import Problem
from shared.upstream.transport import Reply

PASSED_ON = (408, 499, 502, 504)
"""Statuses that a gateway in between answers with, though what was sent may have arrived."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The SDP answer and the id of the call that it starts. `carried`: the call begins with the
    history that was given. `endpoint` is the name of the endpoint that answered."""

    sdp: str = field(repr=False)
    call_id: str
    carried: bool = False
    endpoint: str = ""


class UnusableAnswer(Exception):
    """A call was started, but the response to the offer cannot be used. `call_id` is None where the
    response does not name the call usably. `endpoint` is where it was started."""

    def __init__(self, call_id: str | None, problem: Problem) -> None:
        self.call_id = call_id
        self.problem = problem
        self.endpoint = ""
        super().__init__(problem.code)


class NoCallBegun(Problem):
    """A problem that leaves no doubt: no call has begun, because the offer never left or was
    refused. So another endpoint may have it."""

    @classmethod
    def because_of(cls, problem: Problem) -> NoCallBegun:
        """The same problem, without the doubt."""
        return cls(
            problem.code,
            problem.detail,
            hint=problem.hint,
            retry_after=problem.retry_after,
            headers=problem.extra_headers,
        )


@contextmanager
def before_the_offer() -> Iterator[None]:
    """What goes wrong inside has started no call: raises each Problem as NoCallBegun."""
    try:
        yield
    except Problem as problem:
        raise NoCallBegun.because_of(problem) from None


def is_definite_refusal(reply: Reply) -> bool:
    """Whether a reply that is no 2xx proves that the offer has started no call. A 5xx does not,
    but for a 503 or a 501 of the endpoint's own: a fault may have come after the start, and a
    gateway does not know."""
    if reply.status in PASSED_ON:
        return False
    return reply.status < 500 or (reply.status in (501, 503) and is_own_error(reply))


def is_own_error(reply: Reply) -> bool:
    """Whether a refusal is in the API's shape, so that the endpoint has refused it."""
    error = reply.json().get("error")
    named = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    return any(isinstance(each, str) and each for each in named)


def without_call() -> Problem:
    """Of a response that names no call, or has no answer."""
    return Problem("upstream_failed", "The model's endpoint answered without a usable call.")
