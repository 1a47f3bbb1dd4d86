"""A sideband over the `websockets` library: JSON text in, server events out."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from websockets.asyncio import client
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.proxy import get_proxy
from websockets.uri import WebSocketURI

from shared.core import logs
from shared.sideband.contract import ReadFrame, SidebandContract
from shared.sideband.events import ServerEvent
from shared.sideband.idle_connections import IdleConnection, IdleConnections
from shared.sideband.message_connection import MessageConnection, connection_class
from shared.sideband.sideband import NoSuchCall, SidebandClosed, SidebandUnavailable, Timeouts
from shared.sideband.tls_transport import open_tls
from shared.upstream.error_body import read_error
from shared.upstream.error_mapping import own_code, problem_of
from shared.upstream.transport import Reply, sent_secrets

NO_WEBSOCKET = (426, 501)
"""Upgrade Required and Not Implemented: the handshake arrived as a plain request."""

# At debug level the library logs the handshake, including credentials.
WEBSOCKETS_LOGGER = logging.getLogger("broker.sideband")
WEBSOCKETS_LOGGER.setLevel(logging.WARNING)


@lru_cache
def is_behind_proxy(host: str, port: int) -> bool:
    """Whether a proxy leads to that server. Looked up once: that reads the whole environment."""
    return get_proxy(WebSocketURI(True, host, port, "/", "")) is not None


class SidebandDial(client.connect):
    """Follows no redirect, because that would send an api-key to another server, and has TLS
    without a buffer for each connection, unless a proxy is in between."""

    def __init__(
        self, url: str, idle: IdleConnections | None, timeouts: Timeouts, **options: Any
    ) -> None:
        super().__init__(url, **options)
        self.idle = idle
        self.timeouts = timeouts
        self.used: IdleConnection | None = None
        """The connection to dial on, which another dial has used before."""

    async def connect(self) -> client.ClientConnection:
        self.used = self.idle.take() if self.idle is not None else None
        limit = self.timeouts.open if self.used is None else self.timeouts.reopen
        self.open_timeout = limit.total_seconds()
        try:
            return await super().connect()
        except (OSError, InvalidMessage, ConnectionClosed) as failed:
            if self.idle is None or self.used is None:
                raise
            if isinstance(failed, TimeoutError):
                self.idle.are_answered = False
        # The server may have closed it while the request was under way, or answers no second one.
        self.idle = None
        return await self.connect()

    def process_redirect(self, exc: Exception) -> Exception:
        return exc

    async def open_tcp_connection(self) -> client.ClientConnection:
        there, tls = self.ws_uri, self.create_connection_kwargs.get("ssl")
        if tls is None or (self.proxy is True and is_behind_proxy(there.host, there.port)):
            return await super().open_tcp_connection()
        connection = self.factory(there)
        assert isinstance(connection, MessageConnection)
        if self.used is not None:
            self.used.hand_over(connection)
        else:
            await open_tls(connection, tls, there.host, there.port)
        if connection.protocol.handshake_exc is not None or connection.response is not None:
            connection.transport.abort()
            raise ConnectionResetError("something came before the handshake's request")
        if self.idle is not None:
            connection.keep = self.idle.keep
        return connection


async def connect_websocket(
    url: str,
    headers: Mapping[str, str],
    contract: SidebandContract,
    tls: ssl.SSLContext | None,
    timeouts: Timeouts,
    *,
    endpoint: str = "",
    idle: IdleConnections | None = None,
) -> WebSocketSideband:
    """Connects, over one of the connections that are `idle` if there are any; the log calls the
    other end `endpoint`. Raises NoSuchCall, SidebandUnavailable."""
    try:
        socket = await SidebandDial(
            url,
            idle,
            timeouts,
            additional_headers=dict(headers),
            ssl=tls,
            user_agent_header=None,
            compression=None,
            close_timeout=timeouts.close.total_seconds(),
            ping_interval=timeouts.ping.total_seconds(),
            ping_timeout=timeouts.ping.total_seconds(),
            max_size=None,
            create_connection=connection_class(contract.dropped),
            logger=WEBSOCKETS_LOGGER,
        )
    except InvalidStatus as refused:
        reply = Reply(
            refused.response.status_code,
            refused.response.headers,
            bytes(refused.response.body or b""),
            secrets=sent_secrets(headers),
            endpoint=endpoint,
        )
        # Any other 404 is that of a gateway or a router, which knows nothing of calls.
        if reply.status == 404 and own_code(reply) == contract.gone:
            raise NoSuchCall from None
        raise SidebandUnavailable(reply.status, problem=refused_dial(reply)) from None
    except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed):
        # A server may leave, or answer, before the handshake's request is sent.
        raise SidebandUnavailable from None
    assert isinstance(socket, MessageConnection)
    return WebSocketSideband(socket, contract.frame_reader())


def refused_dial(reply: Reply) -> str:
    """The code of what a refused handshake means; what it says is logged."""
    error = read_error(reply)
    code = problem_of(error).code
    if reply.status < 400 or reply.status in NO_WEBSOCKET or code == "endpoint_not_found":
        code = "sideband_not_served"
    logs.event("sideband refused", **error.evidence(), problem=code)
    return code


class WebSocketSideband:
    """`Sideband` over one connection."""

    def __init__(self, socket: MessageConnection, read_frame: ReadFrame) -> None:
        self.socket = socket
        self.read_frame = read_frame

    async def send_event(self, event: Mapping[str, Any]) -> None:
        try:
            # In ASCII, because what answers a page may hold a lone surrogate, which UTF-8 lacks.
            await self.socket.send(json.dumps(event))
        except ConnectionClosed:
            raise self.closed() from None

    async def receive_event(self) -> ServerEvent:
        try:
            frame = await self.socket.receive_message()
        except ConnectionClosed:
            raise self.closed() from None
        return self.read_frame(frame)

    async def deliver_events(self, handle: Callable[[ServerEvent], None]) -> None:
        read_frame = self.read_frame
        try:
            await self.socket.deliver_messages(lambda frame: handle(read_frame(frame)))
        except ConnectionClosed:
            raise self.closed() from None

    async def close(self) -> None:
        try:
            await self.socket.close()
        except asyncio.CancelledError:
            # There is no time for the closing handshake.
            self.socket.transport.abort()
            raise

    def closed(self) -> SidebandClosed:
        code = self.socket.close_code or 1006
        return SidebandClosed(code, clean=code != 1006, silent_for=self.socket.silent_for)
