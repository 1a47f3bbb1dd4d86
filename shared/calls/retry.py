"""Outlasts an outage from inside the function that a message started.

Functions tries a failed message a few times, seconds apart (host.json), and then sets it aside for
good, though what failed may be away for longer; and while storage is away no other message can be
sent in its stead. So the function itself waits and tries again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from shared.core import logs
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.storage.interfaces import StorageUnavailable

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]

FIRST = timedelta(seconds=1)
LONGEST = timedelta(seconds=15)


def may_pass(error: Exception) -> bool:
    """Whether trying again may help: something is away, ours or upstream's."""
    return isinstance(error, StorageUnavailable) or (
        isinstance(error, Problem) and error.status >= 500
    )


async def retry_until(
    work: Callable[[], Awaitable[T]],
    within: timedelta,
    *,
    passes: Callable[[Exception], bool] = may_pass,
    sleep: Sleep = asyncio.sleep,
    monotonic: Monotonic = time.monotonic,
) -> T:
    """What `work` gives, tried again for `within` while what it raises `passes`.

    `work` must be safe to repeat. Raises what it raised last.
    """
    deadline = Deadline.after(within, monotonic)
    pause = FIRST
    while True:
        # All that an outage stopped must not come back in one moment.
        wait = pause * random.uniform(0.75, 1.25)  # noqa: S311
        try:
            return await work()
        except Exception as error:
            if not passes(error) or deadline.remaining <= wait:
                raise
            reason = error.code if isinstance(error, Problem) else type(error).__name__
            logs.event("retry scheduled", logging.WARNING, reason=reason)
        await sleep(wait.total_seconds())
        pause = min(pause * 2, LONGEST)
