"""Tasks and timers that run while the events of one call are handled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from shared.realtime.sideband import SidebandClosed


class BackgroundTasks:
    """The background tasks of one run. A lost connection does not count as a failure: it is
    redialled, and what matters is sent again."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.timers: list[asyncio.TimerHandle] = []
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self.tasks.add(task)
        task.add_done_callback(self.task_ended)

    def call_later(self, delay: timedelta, action: Callable[[], None]) -> None:
        """Calls `action` after `delay`, at once if that is negative."""
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(max(0.0, delay.total_seconds()), action))

    def task_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        harmless = error is None or isinstance(error, SidebandClosed)
        if error is not None and not harmless and not self.failure.done():
            self.failure.set_exception(error)

    async def wait_for_failure(self) -> None:
        """Raises the first error of a background task; waits until there is one."""
        await self.failure

    async def close(self) -> None:
        """Cancels everything that is still running."""
        for timer in self.timers:
            timer.cancel()
        if not self.failure.cancel() and not self.failure.cancelled():
            self.failure.exception()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
