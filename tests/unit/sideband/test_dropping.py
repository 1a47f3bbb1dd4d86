"""A connection that drops what nobody needs, over a real socket."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.events import NotUnderstood, OtherEvent
from shared.sideband.json_frames import TOO_LARGE
from shared.sideband.sideband import SidebandClosed, Timeouts
from shared.sideband.websocket_sideband import WebSocketSideband, connect_websocket
from tests.unit.sideband.test_long_frames import accepted, retrieved

SOON = timedelta(seconds=5)
CONTRACT = replace(REALTIME_SIDEBAND, dropped=(b'{"type":"heard",',))
AUDIO = json.dumps({"type": "heard", "audio": "A" * 12_800}, separators=(",", ":"))
MiB = 1024 * 1024


async def dial(port: int, tls: ssl.SSLContext | None = None) -> WebSocketSideband:
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"
    return await connect_websocket(url, {}, CONTRACT, tls, Timeouts(SOON, SOON, SOON))


async def test_events_between_dropped_frames_come_in_their_order() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(50):
            await socket.send(AUDIO)
            await socket.send(json.dumps({"type": f"event.{number}"}))
        await socket.ping()
        await socket.close()

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        sideband = await dial(server.sockets[0].getsockname()[1])
        await sideband.send_event({"type": "go"})
        found = [(await sideband.receive_event()).type for _ in range(50)]
        assert found == [f"event.{number}" for number in range(50)]
        with pytest.raises(SidebandClosed) as closed:
            await sideband.receive_event()
        assert closed.value.clean


async def test_over_tls_too() -> None:
    """asyncio receives several records at once there."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    large = json.dumps({"type": "large", "text": "x" * 300_000})

    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(20):
            await socket.send(AUDIO)
            await socket.send(AUDIO)
            await socket.send(json.dumps({"type": f"event.{number}"}))
            await socket.send(large)
        await socket.close()

    async with serve(send, "127.0.0.1", 0, compression=None, ssl=server_side) as server:
        sideband = await dial(server.sockets[0].getsockname()[1], client_side)
        await sideband.send_event({"type": "go"})
        async with asyncio.timeout(SOON.total_seconds()):
            found = [(await sideband.receive_event()).type for _ in range(40)]
        assert found == [name for n in range(20) for name in (f"event.{n}", "large")]
        await sideband.close()


async def test_what_comes_with_the_handshake_is_read() -> None:
    """In one piece with the response, and to the end of the piece that its last frame ends in."""
    small = b"\x81\x10" + b'{"type":"small"}'
    large = AUDIO.encode()
    audio = b"\x81\x7e" + len(large).to_bytes(2, "big") + large

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accepted(request) + small + audio[:5000])
        await writer.drain()
        # Between the pieces, so that each is read by itself.
        await asyncio.sleep(0.02)
        writer.write(audio[5000:] + audio + small)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(audio + small + audio[:100])
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
        sideband = await dial(server.sockets[0].getsockname()[1])
        found = [await sideband.receive_event() for _ in range(5)]
        heard = ["small", "heard", "heard", "small", "small"]
        assert [each.type for each in found] == heard
        with pytest.raises(SidebandClosed) as closed:
            await sideband.receive_event()
        assert not closed.value.clean
        assert closed.value.silent_for is not None
        assert closed.value.silent_for < SOON, "audio is heard, though it is dropped"


async def test_a_frame_that_is_too_long_is_still_told_and_skipped() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(AUDIO)
        await socket.send(retrieved(17 * MiB))
        await socket.send('{"type":"small"}')
        await socket.wait_closed()

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        sideband = await dial(server.sockets[0].getsockname()[1])
        await sideband.send_event({"type": "go"})
        assert await sideband.receive_event() == NotUnderstood(
            "conversation.item.retrieved", TOO_LARGE
        )
        assert await sideband.receive_event() == OtherEvent("small")
        await sideband.close()
