"""Connections that a middlebox forgets once they have been idle for a while.

Neither end is told: the next request is swallowed and never answered, or answered with an RST.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakKeyDictionary

from aiohttp import web

from realtime_emulator.serving.reset import reset_connection

POLL = timedelta(milliseconds=50)


@dataclass(slots=True)
class Idle:
    """A connection that is forgotten after `limit` without a request; `since` is the loop's time
    of its last response."""

    limit: timedelta
    hard: bool
    since: float


class ForgottenConnections:
    """The connections that a fault has marked."""

    def __init__(self) -> None:
        self.marked: WeakKeyDictionary[asyncio.BaseTransport, Idle] = WeakKeyDictionary()

    def reset(self) -> None:
        self.marked.clear()

    def mark(self, request: web.Request, limit: timedelta, *, hard: bool) -> None:
        """From now on, the connection of `request` is forgotten when it was idle for `limit`."""
        if request.transport is not None:
            self.marked[request.transport] = Idle(limit, hard, asyncio.get_running_loop().time())

    def touch(self, request: web.Request) -> None:
        """Its connection is idle from now on."""
        idle = self.marked.get(request.transport) if request.transport is not None else None
        if idle is not None:
            idle.since = asyncio.get_running_loop().time()

    def is_forgotten(self, request: web.Request) -> bool:
        idle = self.marked.get(request.transport) if request.transport is not None else None
        if idle is None:
            return False
        return asyncio.get_running_loop().time() - idle.since >= idle.limit.total_seconds()

    async def swallow(self, request: web.Request) -> None:
        """Never answers, or resets at once. Returns when the connection is gone."""
        if request.transport is not None and self.marked[request.transport].hard:
            reset_connection(request.transport)
        await until_closed(request)


async def until_closed(request: web.Request) -> None:
    """Waits until the client has given up the connection. aiohttp has no event for that."""
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(POLL.total_seconds())
