"""The sideband: the WebSocket on which the server follows a call, and may steer it.

What is relied on (recorded live traffic, the providers' documents): the address takes `call_id` and
nothing else; a key or an identity of the same resource proves who we are, an ephemeral key does
not; no `session.created` comes first, and nothing that has passed is replayed; the caller's audio
is not on it. `websockets` is imported when a call is first dialled.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from shared.realtime.client_events import checked, is_answer

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

Event = dict[str, Any]
AT_ONCE = 8
LARGEST_EVENT = 16 * 1024 * 1024
"""A retrieved item may carry its audio."""

# At debug level the library logs the handshake, credentials included.
WEBSOCKETS_LOGGER = logging.getLogger("broker.sideband")
WEBSOCKETS_LOGGER.setLevel(logging.WARNING)


class NoSuchCall(Exception):
    """404: the call is over, or not there yet, or another resource's."""


class SidebandUnavailable(Exception):
    """The connection could not be made. `status` is that of a refusal, None without an answer."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        super().__init__(f"refused with {status}" if status else "no answer")


class SidebandClosed(Exception):
    """The connection is over. `clean` if with a closing handshake, which says nothing of the call:
    a proxy closes as cleanly as a call that ends."""

    def __init__(self, code: int, *, clean: bool) -> None:
        self.code = code
        self.clean = clean
        super().__init__(f"closed with {code}")


class EventRefused(Exception):
    """The model's endpoint refused the event; `code` and `param` are its own, its words are not
    kept."""

    def __init__(self, code: str, param: str | None = None) -> None:
        self.code = code
        self.param = param
        super().__init__(code)


class Sideband(Protocol):
    """One connection to one call."""

    async def send(self, event: Mapping[str, Any]) -> None:
        """Sends a client event. Raises SidebandClosed."""

    async def receive(self) -> Event:
        """The next server event. Raises SidebandClosed."""

    async def close(self) -> None:
        """Leaves; the call goes on."""


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

    `headers` gives the proof of who we are; it may block and raise, so it is asked on `executor`.
    `authorities` is a file or folder of certificates to trust instead of the machine's own.
    """

    def __init__(
        self,
        base: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        patience: Timeouts = Timeouts(),
        executor: Executor | None = None,
        authorities: str | None = None,
    ) -> None:
        scheme, _, rest = base.partition("://")
        self.base = f"{'wss' if scheme == 'https' else 'ws'}://{rest}"
        self.headers = headers
        self.authorities = authorities
        self.lock = threading.Lock()
        self.context: ssl.SSLContext | None = None
        self.turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self.patience = patience
        self.executor = executor

    async def __call__(self, call_id: str) -> Sideband:
        loop = asyncio.get_running_loop()
        headers = await loop.run_in_executor(self.executor, self.headers)
        tls = await loop.run_in_executor(self.executor, self.tls)
        async with self.turn(loop):
            return await self.dial(call_id, headers, tls)

    def turn(self, loop: asyncio.AbstractEventLoop) -> asyncio.Semaphore:
        """A few at a time: each TLS handshake holds the event loop up for a moment, and who takes
        over another instance's calls dials them all at once. Loops have turns of their own: an
        admin's event is sent from one that lasts no longer than that."""
        with self.lock:
            return self.turns.setdefault(loop, asyncio.Semaphore(AT_ONCE))

    async def dial(
        self, call_id: str, headers: Mapping[str, str], tls: ssl.SSLContext | None
    ) -> Sideband:
        from websockets.asyncio import client
        from websockets.exceptions import InvalidHandshake, InvalidStatus

        class Direct(client.connect):
            """Follows no redirect: it would take an api-key to wherever that leads."""

            def process_redirect(self, exc: Exception) -> Exception:
                return exc

        try:
            socket = await Direct(
                f"{self.base}?call_id={call_id}",
                additional_headers=dict(headers),
                ssl=tls,
                user_agent_header=None,
                compression=None,
                open_timeout=self.patience.open.total_seconds(),
                close_timeout=self.patience.close.total_seconds(),
                ping_interval=self.patience.ping.total_seconds(),
                ping_timeout=self.patience.ping.total_seconds(),
                max_size=LARGEST_EVENT,
                logger=WEBSOCKETS_LOGGER,
            )
        except InvalidStatus as refused:
            status = refused.response.status_code
            if status == 404:
                raise NoSuchCall from None
            raise SidebandUnavailable(status) from None
        except (OSError, InvalidHandshake, TimeoutError):
            raise SidebandUnavailable from None
        return WebSocketSideband(socket)

    def tls(self) -> ssl.SSLContext | None:
        """One context for all connections, None without TLS.

        Left to itself the library makes one for each: every certificate authority of the machine
        read again, 2 MiB a call, and the event loop held up meanwhile (docs/performance.md).
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


class WebSocketSideband:
    """`Sideband` over a `websockets` connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, event: Mapping[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self.socket.send(json.dumps(event, ensure_ascii=False))
        except ConnectionClosed:
            raise self.closed() from None

    async def receive(self) -> Event:
        from websockets.exceptions import ConnectionClosed

        while True:
            try:
                event = json.loads(await self.socket.recv())
            except ConnectionClosed:
                raise self.closed() from None
            except ValueError:
                continue
            if isinstance(event, dict):
                return event

    async def close(self) -> None:
        await self.socket.close()

    def closed(self) -> SidebandClosed:
        code = self.socket.close_code or 1006
        return SidebandClosed(code, clean=code != 1006)


async def send_event(
    connect: Connect,
    call_id: str,
    event: Mapping[str, Any],
    *,
    timeout: timedelta = timedelta(seconds=5),
) -> Event | None:
    """Sends one client event to a running call over a connection of its own.

    Gives the server event that answers it; None if none came in time (clearing a buffer in which
    nothing is, is answered by nothing). Raises ValueError for an event that is not allowed or not
    of its shape, EventRefused, NoSuchCall, SidebandUnavailable.
    """
    ours = checked(event)
    ours["event_id"] = f"event_{secrets.token_hex(8)}"
    if ours["type"] == "conversation.item.create":
        ours["item"].setdefault("id", f"item_{secrets.token_hex(8)}")
    sideband = await connect(call_id)
    try:
        await sideband.send(ours)
        async with asyncio.timeout(timeout.total_seconds()):
            while True:
                told = await sideband.receive()
                if told.get("type") == "error":
                    error = told.get("error") or {}
                    if error.get("event_id") == ours["event_id"]:
                        raise EventRefused(str(error.get("code")), error.get("param"))
                elif is_answer(told, ours):
                    return told
    except TimeoutError:
        return None
    except SidebandClosed:
        raise SidebandUnavailable from None
    finally:
        await sideband.close()
