"""Sits out an outage inside the function that a message triggered.

While storage is unavailable no other message can be sent in place of one that failed, and Functions
redelivers it a few times only. So the function itself waits and tries again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from shared.core import logs
from shared.core.chance import CHANCE
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.storage.interfaces import StorageUnavailable

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)


def is_transient(error: Exception) -> bool:
    """Whether trying again may help: storage or the model's endpoint is unavailable."""
    return isinstance(error, StorageUnavailable) or (
        isinstance(error, Problem) and error.status >= 500
    )


async def retry_until(
    work: Callable[[], Awaitable[T]],
    within: timedelta,
    *,
    retry_on: Callable[[Exception], bool] = is_transient,
    sleep: Sleep = asyncio.sleep,
    monotonic: Monotonic = time.monotonic,
) -> T:
    """The result of `work`, which is repeated for `within` while `retry_on` accepts its error.

    `work` must be safe to repeat. Raises its last error.
    """
    deadline = Deadline.after(within, monotonic)
    pause = FIRST_PAUSE
    while True:
        # Jitter, so that everything an outage stopped does not come back at the same moment.
        wait = pause * CHANCE.uniform(0.75, 1.25)
        try:
            return await work()
        except Exception as error:
            if not retry_on(error) or deadline.remaining <= wait:
                raise
            reason = error.code if isinstance(error, Problem) else type(error).__name__
            logs.event("retry scheduled", logging.WARNING, reason=reason)
        await sleep(wait.total_seconds())
        pause = min(pause * 2, LONGEST_PAUSE)
