"""What every request of this thread must keep to: a deadline, and whether it may be sent twice.

The terms are set around the code that sends (`exchange_terms`) and read by the connections
(shared/core/connections.py), so that they also hold for requests that an SDK makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta

from shared.core.deadline import Deadline


@dataclass(slots=True)
class Progress:
    """How far the requests under some terms have got."""

    sent: bool = False
    """Whether one has left in full: then it may have been acted upon, whatever came back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`repeatable` says that a POST may arrive twice, `repeated_by_caller` that whoever sends it
    repeats it; `most_bytes` bounds a response's head and body together, as they arrive."""

    deadline: Deadline | None = None
    repeatable: bool = False
    repeated_by_caller: bool = False
    most_bytes: int | None = None
    progress: Progress = field(default_factory=Progress)


NO_TERMS = Terms()
TERMS: ContextVar[Terms] = ContextVar("exchange_terms", default=NO_TERMS)


@contextmanager
def exchange_terms(
    deadline: Deadline,
    *,
    repeatable: bool = False,
    repeated_by_caller: bool = False,
    most_bytes: int | None = None,
) -> Iterator[Progress]:
    """Requests made inside are over by `deadline`, or by the one around it if that is earlier."""
    outer = TERMS.get().deadline
    if outer is not None and outer.seconds_left < deadline.seconds_left:
        deadline = outer
    terms = Terms(deadline, repeatable, repeated_by_caller, most_bytes)
    token = TERMS.set(terms)
    try:
        yield terms.progress
    finally:
        TERMS.reset(token)


def deadline_within(budget: timedelta) -> Deadline:
    """The moment `budget` from now, or this thread's deadline if that is earlier."""
    outer, own = TERMS.get().deadline, Deadline.after(budget)
    return own if outer is None or own.seconds_left < outer.seconds_left else outer


@dataclass(slots=True)
class Attempt:
    """One try of one request, and how far it got."""

    terms: Terms
    may_arrive_twice: bool = False
    reused: bool = False  # on a connection that has had a response before
    sent: bool = False
    answered: bool = False
    received: int = 0

    def seconds_left(self, limit: float | None) -> float | None:
        """The time for the next step: `limit`, or less near the deadline. Raises TimeoutError."""
        if self.terms.deadline is None:
            return limit
        left = self.terms.deadline.seconds_left
        if not left:
            raise TimeoutError("the deadline of this request has passed")
        return left if limit is None else min(limit, left)

    @property
    def is_stale(self) -> bool:
        """Whether a connection that has worked before gave nothing: a middlebox may have forgotten
        it, or the other end may just have closed it."""
        return self.reused and not self.answered

    @property
    def may_be_repeated(self) -> bool:
        """Whether one more try, on a fresh connection, can do no harm and may help."""
        deadline = self.terms.deadline
        in_time = deadline is None or bool(deadline.remaining)
        wanted = self.may_arrive_twice and not self.terms.repeated_by_caller
        return self.is_stale and in_time and (wanted or not self.sent)


ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def new_attempt(method: str) -> Attempt:
    """An attempt under the terms of this thread. Idempotent methods may always arrive twice."""
    terms = TERMS.get()
    return Attempt(terms, may_arrive_twice=terms.repeatable or method.upper() != "POST")


def current_attempt() -> Attempt:
    """The attempt that this thread is making."""
    return ATTEMPT.get() or Attempt(TERMS.get())
