"""Connections to an endpoint that have answered a dial with a refusal, and can be asked again.

Many calls may end at once, and each is then dialled once more to learn (404) that it is over. HTTP
leaves a connection open after such an answer, as OpenAI does (`connection: keep-alive`,
https://github.com/openai/openai-realtime-console/issues/562), so the next call is dialled without
another TLS handshake. A connection on which a dial succeeds becomes that call's sideband.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.sideband.receive_buffers import BUFFERS
from shared.sideband.tls_transport import TlsTransport

KEPT_FOR = timedelta(seconds=1)
"""The next dial takes it at once, unless it is cancelled."""


class IdleConnections:
    """Those of one event loop to one endpoint. They are kept while dials wait."""

    def __init__(self) -> None:
        self.idle: list[IdleConnection] = []
        self.waiting = 0
        self.are_answered = True
        """Whether the server answers a second request: it may keep a connection and not do so."""

    def keep(self, transport: asyncio.Transport) -> bool:
        """Keeps a connection for a dial that waits; False if none does."""
        if not self.waiting or not self.are_answered:
            return False
        assert isinstance(transport, TlsTransport)
        self.idle.append(IdleConnection(self.idle, transport))
        return True

    def take(self) -> IdleConnection | None:
        """The connection that was used last, which must be handed over now; None if there is
        none."""
        while self.idle and self.are_answered:
            last = self.idle[-1]
            if not last.is_spoken_on:
                last.leave()
                return last
            last.close()
        return None


class IdleConnection(asyncio.BufferedProtocol):
    """One that nobody uses: it is closed after a while, and if anything comes on it."""

    def __init__(self, idle: list[IdleConnection], transport: TlsTransport) -> None:
        self.idle = idle
        self.transport = transport
        self.expiry = asyncio.get_running_loop().call_later(KEPT_FOR.total_seconds(), self.close)
        transport.stream.app = self

    @property
    def is_spoken_on(self) -> bool:
        """Whether a part of something has come that nobody has asked for."""
        return self.transport.stream.incoming.pending > 0

    def leave(self) -> None:
        self.expiry.cancel()
        if self in self.idle:
            self.idle.remove(self)

    def hand_over(self, app: asyncio.BufferedProtocol) -> None:
        self.transport.stream.app = app
        app.connection_made(self.transport)

    def close(self) -> None:
        self.leave()
        self.transport.close()

    def get_buffer(self, _: int) -> memoryview:
        return BUFFERS.received_view

    def buffer_updated(self, _: int) -> None:
        self.leave()
        self.transport.abort()

    def eof_received(self) -> None:
        self.leave()

    def connection_lost(self, _: Exception | None) -> None:
        self.leave()
