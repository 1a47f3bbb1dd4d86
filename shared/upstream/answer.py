"""What starts a call upstream gives: the answer to the page's offer, or a call of no use."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.core.problems import Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """The SDP answer and the id of the call that it starts. `carried`: the call begins with the
    history that was given."""

    sdp: str = field(repr=False)
    call_id: str
    carried: bool = False


class UnusableAnswer(Exception):
    """A call was started, but the response to the offer cannot be used. `call_id` is None where the
    response does not name the call usably."""

    def __init__(self, call_id: str | None, problem: Problem) -> None:
        self.call_id = call_id
        self.problem = problem
        super().__init__(problem.code)


def without_call() -> Problem:
    """Of a response that names no call, or has no answer."""
    return Problem("upstream_failed", "The model's endpoint answered without a usable call.")
