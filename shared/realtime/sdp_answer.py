"""What `calls` replies to an offer, read as untrusted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.core.problems import Problem
from shared.realtime.call_ids import call_id_from_location
from shared.upstream.error_mapping import refusal_problem
from shared.upstream.transport import Reply


@dataclass(frozen=True, slots=True)
class Answer:
    """The SDP answer and the id of the call that it starts."""

    sdp: str = field(repr=False)
    call_id: str


class UnusableAnswer(Exception):
    """A call was started, but the response to the offer cannot be used. `call_id` is None where the
    response does not name the call usably."""

    def __init__(self, call_id: str | None, problem: Problem) -> None:
        self.call_id = call_id
        self.problem = problem
        super().__init__(problem.code)


def read_answer(reply: Reply) -> Answer:
    """The answer in a 201 (text/plain from both providers, recorded).

    Raises Problem for a refusal, UnusableAnswer for an answer that starts a call of no use.
    """
    if not 200 <= reply.status < 300:
        raise refusal_problem(reply, sent_offer=True)
    call_id = call_id_from_location(reply.headers.get("Location", ""))
    if call_id is None:
        raise UnusableAnswer(None, without_call())
    if reply.status not in (200, 201):
        raise UnusableAnswer(call_id, without_call())
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
