"""Where the dials to one endpoint wait for their turn, in one event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from shared.sideband.idle_connections import IdleConnections
from shared.sideband.sideband import Sideband

DIALS_AT_ONCE = 8
"""Each TLS handshake holds up the event loop for a moment, and an instance that takes over the
calls of another one dials them all at once."""
REDIALS_AT_ONCE = 32
"""Calls that end together are all dialled again, and should be known to be over within a second
(`PROMPT_404` of the observer), however far away the endpoint is. Most of these dials are no TLS
handshakes (`idle_connections`)."""


Prepared = tuple[Mapping[str, str], ssl.SSLContext | None]
"""The headers of a dial, and its TLS."""


class DialQueue:
    """A few dials at a time. A call that has lost its connection may be over, and does not wait for
    those that are dialled for the first time."""

    def __init__(self) -> None:
        self.dials = asyncio.Semaphore(DIALS_AT_ONCE)
        self.redials = asyncio.Semaphore(REDIALS_AT_ONCE)
        self.connected: WeakValueDictionary[str, Sideband] = WeakValueDictionary()
        """By call. Whoever redials a call has the connection of before."""
        self.idle = IdleConnections()
        self.preparing: asyncio.Future[Prepared] | None = None

    async def prepare(self, work: Callable[[], Awaitable[Prepared]]) -> Prepared:
        """What `work` gives or raises, once for all dials that come while it is under way."""
        if self.preparing is None:
            self.preparing = asyncio.ensure_future(work())
            # It refers to the loop, for which a queue is kept as long as the loop is referred to.
            self.preparing.add_done_callback(self.forget_prepared)
        return await asyncio.shield(self.preparing)

    def forget_prepared(self, _: asyncio.Future[Prepared]) -> None:
        self.preparing = None

    @asynccontextmanager
    async def turn(self, call_id: str) -> AsyncIterator[None]:
        """Waits until the call may be dialled."""
        slots = self.redials if call_id in self.connected else self.dials
        self.idle.waiting += 1
        try:
            await slots.acquire()
        finally:
            self.idle.waiting -= 1
        try:
            yield
        finally:
            slots.release()
