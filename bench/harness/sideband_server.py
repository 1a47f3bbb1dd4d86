"""The WebSocket server of the stand-ins for many calls' sidebands.

It shares two cores with what is measured, so what it sends goes straight to the transport
(`push`): `ServerConnection.send` takes three times the processor time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.harness.processes import raise_file_limit, serve_until_stopped
from bench.harness.tls import server_context
from realtime_emulator.serving import server

USUAL_CLOSE_TIMEOUT = timedelta(seconds=10)
"""The default of websockets."""
NOT_FOUND = (
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
    "Connection: keep-alive\r\n\r\n{}"
)
Refusal = Callable[[str], str]
"""The body of the 404 that answers a handshake's request for a path; "" for one that is served."""


class SidebandConnection(ServerConnection):
    """Refuses a handshake and then waits for another one, as the service does: the library would
    close the connection (openai-realtime-console#562: `connection: keep-alive`)."""

    refusal: Refusal

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.head = b""
        self.is_asked = True

    def data_received(self, data: bytes) -> None:
        if self.is_asked:
            data = self.head = self.head + data
            if b"\r\n\r\n" not in data:
                return
            body = self.refusal(data.split(b" ", 2)[1].decode())
            if body:
                self.head = b""
                self.transport.write(NOT_FOUND.format(len(body), body).encode())
                return
            self.is_asked = False
        super().data_received(data)


def push(connection: ServerConnection, text: str) -> bool:
    """Sends a message without waiting for the client to take it. False: it is closed."""
    broadcast((connection,), text)
    return connection.close_code is None


async def serve_sidebands(
    send_call: Callable[[ServerConnection], Awaitable[None]],
    refusal: Refusal,
    certificate: Path,
    *,
    close_timeout: timedelta = USUAL_CLOSE_TIMEOUT,
) -> None:
    """Prints its URL and serves until it is stopped. What has a `refusal` gets that."""
    raise_file_limit()
    async with serve(
        send_call,
        server.LOOPBACK,
        0,
        ssl=server_context(certificate),
        create_connection=type("Served", (SidebandConnection,), {"refusal": staticmethod(refusal)}),
        compression=None,
        backlog=4096,
        open_timeout=60,
        ping_interval=None,
        close_timeout=close_timeout.total_seconds(),
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        await serve_until_stopped(f"https://{server.LOOPBACK}:{port}")
