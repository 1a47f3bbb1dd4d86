"""Whether this process has been told to stop.

Functions gives an app no hook for that: where a SIGTERM comes to the worker, shared/core/at_exit.py
begins it.
"""

from __future__ import annotations

import asyncio
import threading


class Stopping:
    """Begins once. Safe to begin from a signal handler, and to wait for on any event loop."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.has_begun = False
        self.waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def begin(self) -> None:
        """The process is to stop. Repeating it does nothing."""
        with self.lock:
            self.has_begun = True
            waiting, self.waiting = self.waiting, []
        for loop, event in waiting:
            # A loop that is closed has nobody who waits.
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait(self) -> None:
        """Returns once it has begun."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self.lock:
            if self.has_begun:
                return
            self.waiting.append(waiter)
        try:
            await event.wait()
        finally:
            with self.lock:
                if waiter in self.waiting:
                    self.waiting.remove(waiter)


PROCESS = Stopping()
"""That of this process."""
