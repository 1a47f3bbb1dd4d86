"""A server that speaks or leaves as soon as TLS is up, before it has been asked anything."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import timedelta

import pytest
import trustme

from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.idle_connections import IdleConnections
from shared.sideband.sideband import SidebandUnavailable, Timeouts
from shared.sideband.websocket_sideband import connect_websocket
from tests.support.sideband_stand_in import KEPT

SOON = timedelta(seconds=5)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: unasked\r\n\r\n"
)


@pytest.mark.parametrize("said", [b"", b"\0\1\2" * 1000, SWITCHING, KEPT])
@pytest.mark.parametrize("leaves", [True, False])
async def test_what_comes_with_the_end_of_the_tls_handshake_is_no_sideband(
    said: bytes, leaves: bool
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # In TLS 1.2 the server has the last word of the handshake, and may go on in the same piece.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await reader.read(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        writer.write(outgoing.read())
        incoming.write(await reader.read(65536))
        tls.do_handshake()
        if said:
            tls.write(said)
        if leaves:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.unwrap()
        writer.write(outgoing.read())
        if not leaves:
            await reader.read(65536)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        url = f"wss://localhost:{server.sockets[0].getsockname()[1]}"
        timeouts = Timeouts(SOON, SOON, SOON)
        idle = IdleConnections()
        idle.waiting = 1
        with pytest.raises(SidebandUnavailable):
            await connect_websocket(url, {}, REALTIME_SIDEBAND, trusting, timeouts, idle=idle)
        assert not idle.idle, "it is of use to no other dial"
