"""Requests to the model's endpoint that may safely arrive twice, tried again while they fail."""

from __future__ import annotations

from collections.abc import Callable

from shared.core.chance import CHANCE
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.upstream.error_mapping import is_passing
from shared.upstream.retry_after import retry_after
from shared.upstream.transport import Reply, Timeouts


def send_with_retries(
    send: Callable[[], Reply],
    timeouts: Timeouts,
    deadline: Deadline,
    sleep: Callable[[float], None],
) -> Reply:
    """The reply that `send` gives, whatever it says. What passes by itself is tried again within
    the deadline, and `Retry-After` is honoured. Raises `Problem` if there is no reply."""
    pause = timeouts.backoff
    for left in reversed(range(timeouts.tries)):
        try:
            reply = send()
        except Problem:
            if not left or deadline.remaining <= pause:
                raise
            wait = pause
        else:
            wait = retry_after(reply.headers, status=reply.status) or pause
            if not left or deadline.remaining <= wait or not is_passing(reply):
                return reply
        # Instances that were refused together must not retry together.
        sleep(wait.total_seconds() * (1 + CHANCE.random() / 4))
        pause *= 2
    raise AssertionError("unreachable")
