"""The sideband: the WebSocket on which the server follows a call and may control it.

We rely on this, from recorded live traffic and the providers' documents: the URL takes `call_id`
and nothing else; a key or an identity of the same resource authenticates us, an ephemeral key does
not; no `session.created` comes first, and nothing is replayed; the caller's audio is not on it.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from shared.realtime.server_events import ServerEvent

HANDSHAKES_AT_ONCE = 8


class NoSuchCall(Exception):
    """404 with the endpoint's own code: the call is over, not there yet, or another resource's."""


class SidebandUnavailable(Exception):
    """No connection. `status` is the HTTP status of a refusal, None if there was no answer."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"refused with {status}" if status else "no answer")


class SidebandClosed(Exception):
    """The connection is over. `clean` means with a closing handshake, which says nothing about the
    call: a proxy closes as cleanly as a call that ends."""

    def __init__(self, code: int, *, clean: bool) -> None:
        self.code = code
        self.clean = clean
        super().__init__(f"closed with {code}")


class Sideband(Protocol):
    """One connection to one call."""

    async def send_event(self, event: Mapping[str, Any]) -> None:
        """Sends a client event. Raises SidebandClosed."""

    async def receive_event(self) -> ServerEvent:
        """The next server event. Raises SidebandClosed."""

    async def close(self) -> None:
        """Disconnects; the call goes on."""


Connect = Callable[[str], Awaitable[Sideband]]
"""Dials a call by its id. Raises NoSuchCall or SidebandUnavailable."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of a connection."""

    open: timedelta = timedelta(seconds=10)
    close: timedelta = timedelta(seconds=2)
    ping: timedelta = timedelta(seconds=20)


class SidebandConnector:
    """A `Connect` for the endpoint whose REST base is `base` (`https://…/openai/v1/realtime`).

    `headers` gives the headers that authenticate us; it may block and raise, so it is called on
    `executor`. `authorities` is a file or folder of certificates to trust instead of the machine's
    own.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        timeouts: Timeouts = Timeouts(),
        executor: Executor | None = None,
        authorities: str | None = None,
    ) -> None:
        scheme, _, rest = base.partition("://")
        self.base = f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
        self.headers = headers
        self.authorities = authorities
        self.lock = threading.Lock()
        self.context: ssl.SSLContext | None = None
        self.slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self.timeouts = timeouts
        self.executor = executor

    async def __call__(self, call_id: str) -> Sideband:
        loop = asyncio.get_running_loop()
        headers = await loop.run_in_executor(self.executor, self.headers)
        tls = await loop.run_in_executor(self.executor, self.tls_context)
        # Imported here because `websockets` takes time to import, which a cold start lacks.
        from shared.realtime.websocket_sideband import connect_websocket

        async with self.handshake_slot(loop):
            return await connect_websocket(
                f"{self.base}?call_id={call_id}", headers, tls, self.timeouts
            )

    def handshake_slot(self, loop: asyncio.AbstractEventLoop) -> asyncio.Semaphore:
        """A few handshakes at a time: each TLS handshake holds up the event loop for a moment, and
        an instance that takes over another's calls dials them all at once. Each loop has slots of
        its own: an admin's event is sent on a loop that lives no longer than that."""
        with self.lock:
            return self.slots.setdefault(loop, asyncio.Semaphore(HANDSHAKES_AT_ONCE))

    def tls_context(self) -> ssl.SSLContext | None:
        """One context for all connections; None without TLS.

        By default the library makes one for each connection: that reads every certificate authority
        of the machine again, takes 2 MiB per call, and blocks the event loop (docs/performance.md).
        """
        if not self.base.startswith("wss:"):
            return None
        with self.lock:
            if self.context is None:
                folder = self.authorities is not None and Path(self.authorities).is_dir()
                self.context = ssl.create_default_context(
                    cafile=None if folder else self.authorities,
                    capath=self.authorities if folder else None,
                )
            return self.context
