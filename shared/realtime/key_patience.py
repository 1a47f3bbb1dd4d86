"""How long an endpoint is asked for a key: for as long as the request has, unless another endpoint
could give one sooner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from shared.core.deadline import Deadline

IMPATIENT_BUDGET = timedelta(seconds=8)
"""For a key where other endpoints may be asked after this one: three of them within the 30 s of a
request, and time for the offer."""
OTHERS_TO_ASK: ContextVar[bool] = ContextVar("others_to_ask", default=False)


@contextmanager
def key_patience(*, others_to_ask: bool) -> Iterator[None]:
    """Keys that are minted inside are asked for once and not for long, if others may be asked."""
    token = OTHERS_TO_ASK.set(others_to_ask)
    try:
        yield
    finally:
        OTHERS_TO_ASK.reset(token)


def key_tries(usual: int) -> int:
    """How often a key is asked for, where it is `usual` to ask so often."""
    return 1 if OTHERS_TO_ASK.get() else usual


def key_deadline(deadline: Deadline) -> Deadline:
    """When there must be a key, in a request that must be answered by `deadline`."""
    if not OTHERS_TO_ASK.get():
        return deadline
    return Deadline.after(min(IMPATIENT_BUDGET, deadline.remaining), deadline.monotonic)
