"""The WebSocket server of the stand-ins for many calls' sidebands.

It shares two cores with what is measured, so what it sends goes straight to the transport
(`push`): `ServerConnection.send` takes three times the processor time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

from bench.harness.processes import raise_file_limit, serve_until_stopped
from bench.harness.tls import server_context
from realtime_emulator.serving import server

USUAL_CLOSE_TIMEOUT = timedelta(seconds=10)
"""The default of websockets."""


def push(connection: ServerConnection, text: str) -> bool:
    """Sends a message without waiting for the client to take it. False: it is closed."""
    broadcast((connection,), text)
    return connection.close_code is None


async def serve_sidebands(
    send_call: Callable[[ServerConnection], Awaitable[None]],
    refuse_ended: Callable[[ServerConnection, Request], Response | None],
    certificate: Path,
    *,
    close_timeout: timedelta = USUAL_CLOSE_TIMEOUT,
) -> None:
    """Prints its URL and serves until it is stopped. `refuse_ended` answers a handshake instead of
    `send_call`, unless it returns None."""
    raise_file_limit()
    async with serve(
        send_call,
        server.LOOPBACK,
        0,
        ssl=server_context(certificate),
        process_request=refuse_ended,
        compression=None,
        backlog=4096,
        open_timeout=60,
        ping_interval=None,
        close_timeout=close_timeout.total_seconds(),
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        await serve_until_stopped(f"https://{server.LOOPBACK}:{port}")
