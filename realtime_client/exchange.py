"""An operation from its request to its result, with what is tried again between. No input or
output: the clients send what it yields, and wait as long as it says.

    steps = exchange(operation)
    step = next(steps)                       # a Request or a Pause
    step = steps.send(reply_or_failed)       # after a Request
    step = steps.send(None)                  # after a Pause
    # StopIteration.value is the result; a Problem is raised
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from realtime_client.codes import BROKER_UNREACHABLE, NO_ANSWER, UNEXPECTED_ANSWER
from realtime_client.problems import Problem, no_reply, problem_in, unexpected_answer
from realtime_client.wire import UNREADABLE, Failed, Operation, Reply, Request

T = TypeVar("T")
TRIES: Final = 3
FIRST_PAUSE: Final = timedelta(seconds=0.5)
"""Before the second try; twice as long before the third."""
LONGEST_PAUSE: Final = timedelta(seconds=10)
"""A broker that wants more time than that is not asked again: the problem says how long."""
BAD_GATEWAYS: Final = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Pause:
    """To be waited for."""

    time: timedelta


Step = Request | Pause
Steps = Generator[Step, Reply | Failed | None, T]


def exchange(operation: Operation[T]) -> Steps[T]:
    """The steps of an operation. Raises Problem."""
    tried = 0
    while True:
        tried += 1
        got = yield operation.request
        assert got is not None
        try:
            return result_of(operation, got)
        except Problem as problem:
            pause = pause_after(problem, tried) if operation.is_repeatable else None
            if pause is None:
                raise
        yield Pause(pause)


def result_of(operation: Operation[T], got: Reply | Failed) -> T:
    """What a reply says. Raises Problem."""
    if isinstance(got, Failed):
        raise no_reply(got)
    if got.status != operation.status:
        raise problem_in(got)
    try:
        return operation.read(got)
    except UNREADABLE as error:
        detail = f"HTTP {got.status}, but {type(error).__name__}: {error}"
        raise unexpected_answer(got, detail[:200]) from error


def pause_after(problem: Problem, tried: int) -> timedelta | None:
    """How long to wait before trying again what does no harm; None if that makes no sense."""
    if tried >= TRIES:
        return None
    pause = FIRST_PAUSE * (1 << (tried - 1))
    if problem.retry_after is not None:
        return max(pause, problem.retry_after) if problem.retry_after <= LONGEST_PAUSE else None
    is_gateway = problem.code == UNEXPECTED_ANSWER and problem.status in BAD_GATEWAYS
    if problem.code in (BROKER_UNREACHABLE, NO_ANSWER) or is_gateway:
        return pause
    return None
