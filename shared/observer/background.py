"""Tasks and timers that run while the events of one call are handled."""

from __future__ import annotations

import asyncio
import itertools
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.leases import LeaseLost
from shared.sideband.sideband import SidebandClosed
from shared.storage.interfaces import StorageUnavailable

TASKS_AT_MOST = 500
ENDS_THE_RUN = (LeaseLost, Problem, StorageUnavailable)
"""Failures after which a run cannot go on. Any other costs what the task was for: an event of the
call may have caused it."""


class BackgroundTasks:
    """The background tasks of one run. A lost connection does not count as a failure: it is
    redialled, and what matters is sent again."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.timers: dict[int, asyncio.TimerHandle] = {}
        self.numbers = itertools.count()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self.tasks.add(task)
        task.add_done_callback(self.task_ended)

    @property
    def is_full(self) -> bool:
        """Whether so many tasks wait that no more should be started."""
        return len(self.tasks) >= TASKS_AT_MOST

    def call_later(self, delay: timedelta, action: Callable[[], None]) -> None:
        """Calls `action` after `delay`, at once if that is negative."""
        number = next(self.numbers)

        def act() -> None:
            del self.timers[number]
            action()

        loop = asyncio.get_running_loop()
        self.timers[number] = loop.call_later(max(0.0, delay.total_seconds()), act)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ENDS_THE_RUN):
            if not self.failure.done():
                self.failure.set_exception(error)
        elif error is not None and not isinstance(error, SidebandClosed):
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            name = type(error).__name__
            logs.event("observer task failed", logging.ERROR, reason=name, place=place)

    async def wait_for_failure(self) -> None:
        """Raises the first error of a background task; waits until there is one."""
        await self.failure

    async def close(self) -> None:
        """Cancels everything that is still running."""
        for timer in self.timers.values():
            timer.cancel()
        if not self.failure.cancel() and not self.failure.cancelled():
            self.failure.exception()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
