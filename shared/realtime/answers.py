"""What `calls` and `hangup` reply, read as untrusted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.core.problems import Problem
from shared.realtime.call_ids import call_id_from_location
from shared.upstream.error_mapping import CALL_GONE, refusal_problem
from shared.upstream.transport import Reply


@dataclass(frozen=True, slots=True)
class Answer:
    """The SDP answer and the id of the call that it starts."""

    sdp: str = field(repr=False)
    call_id: str


@dataclass(frozen=True, slots=True)
class HangUpReply:
    """Upstream's answer to a hang-up: its status and, of a refusal, its own error code.

    calls/termination.py says what it settles. An answer that is neither of the two below comes from
    something in between, or leaves open what became of the call.
    """

    status: int
    code: str = ""

    @property
    def was_live(self) -> bool:
        """2xx: the hang-up has ended the call."""
        return 200 <= self.status < 300

    @property
    def was_gone(self) -> bool:
        """404 with the endpoint's own code: the call was over already."""
        return (self.status, self.code) == (404, CALL_GONE)


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
