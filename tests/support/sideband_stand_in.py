"""A sideband over TLS whose calls end when told: it counts the connections that it takes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import trustme
from websockets.utils import accept_key

from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import Timeouts

BODY = json.dumps({"error": {"code": REALTIME_SIDEBAND.gone}}).encode()
KEPT = (
    f"HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode() + BODY
CLOSED = KEPT.replace(b"keep-alive", b"close")
CLOSE_FRAME = b"\x88\x02\x03\xe8"
SOON = timedelta(seconds=10)


class SidebandStandIn:
    """Serves every call that has not `ended`. Of another one it says `refusal`, as what is said
    for the `nth` request on its connection."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.over: dict[str, asyncio.Event] = {}
        self.connections = self.open = 0
        self.left = asyncio.Event()
        """No connection is open."""
        self.left.set()
        self.serving: list[asyncio.Future[None]] = []
        self.refusal: Callable[[int], bytes] = lambda _: KEPT
        self.on_connection: Callable[[], None] = lambda: None
        self.answers = asyncio.Event()
        """Calls that begin are answered while it is set."""
        self.answers.set()
        self.asked = asyncio.Condition()
        self.requests = 0

    def end(self, *calls: str) -> None:
        """Closes their sidebands, as the service does."""
        self.ended.update(calls)
        for call in calls:
            self.over.pop(call).set()

    def drop(self, *calls: str) -> None:
        """Closes their sidebands; the calls go on."""
        for call in calls:
            self.over.pop(call).set()

    async def requested(self, count: int) -> None:
        """Waits until so many requests have come."""
        async with self.asked:
            await self.asked.wait_for(lambda: self.requests >= count)

    async def served(self, count: int) -> None:
        """Waits until so many calls are connected."""
        async with self.asked:
            await self.asked.wait_for(lambda: len(self.over) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.left.clear()
        self.on_connection()
        serving = asyncio.ensure_future(self.answer(reader, writer))
        self.serving.append(serving)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serving
        writer.transport.abort() if serving.cancelled() else writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open -= 1
        if not self.open:
            self.left.set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            async with self.asked:
                self.requests += 1
                self.asked.notify_all()
            number += 1
            call = head.split(" ", 2)[1].rpartition("call_id=")[2]
            if call not in self.ended:
                break
            refusal = self.refusal(number)
            writer.write(refusal)
            if not refusal or b"keep-alive" not in refusal:
                return
        await self.answers.wait()
        key = head.lower().partition("sec-websocket-key: ")[0]
        key = head[len(key) :].split("\r\n")[0].partition(": ")[2]
        over = self.over[call] = asyncio.Event()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
        )
        async with self.asked:
            self.asked.notify_all()
        await over.wait()
        writer.write(CLOSE_FRAME)
        await writer.drain()


@asynccontextmanager
async def sideband_stand_in(
    folder: Path,
) -> AsyncIterator[tuple[SidebandStandIn, SidebandConnector]]:
    """The stand-in, and a connector that trusts it."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    stand_in = SidebandStandIn()
    async with await asyncio.start_server(
        stand_in.serve, "127.0.0.1", 0, ssl=context, backlog=1024
    ) as server:
        port = server.sockets[0].getsockname()[1]
        connector = SidebandConnector(
            f"https://localhost:{port}/v1/realtime",
            dict,
            REALTIME_SIDEBAND,
            timeouts=Timeouts(SOON, SOON, SOON),
            authorities=str(trusted),
        )
        try:
            yield stand_in, connector
        finally:
            for each in stand_in.serving:
                each.cancel()
            await asyncio.gather(*stand_in.serving, return_exceptions=True)
            await stand_in.left.wait()
