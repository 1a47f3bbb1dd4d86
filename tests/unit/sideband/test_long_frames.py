"""Frames that are too long for us cost themselves, not the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from shared.realtime.server_events import ItemRetrieved
from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.events import NotUnderstood, OtherEvent, ServerEvent
from shared.sideband.json_frames import LARGEST_EVENT, TOO_LARGE
from shared.sideband.long_frames import LongFrameReader
from shared.sideband.sideband import Sideband, SidebandClosed, Timeouts
from shared.sideband.websocket_sideband import connect_websocket

SOON = timedelta(seconds=5)
SMALL = '{"type":"small"}'
MiB = 1024 * 1024


async def dial(url: str) -> Sideband:
    return await connect_websocket(url, {}, REALTIME_SIDEBAND, None, Timeouts(SOON, SOON, SOON))


def retrieved(size: int) -> str:
    part = {"type": "input_audio", "audio": "A" * size, "transcript": "hello"}
    item = {"id": "a", "type": "message", "role": "user", "content": [part]}
    return json.dumps({"type": "conversation.item.retrieved", "item": item})


def in_pieces(text: str, size: int) -> Iterable[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


async def received(*messages: Any) -> list[ServerEvent]:
    """What a sideband makes of them, and of a small event after them, on one connection."""

    async def send(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message, text=True)
        await socket.send(SMALL)
        await socket.wait_closed()

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        sideband = await dial(url)
        try:
            return [await sideband.receive_event() for _ in range(len(messages) + 1)]
        finally:
            await sideband.close()


@pytest.mark.parametrize("size", [17 * MiB, 40 * MiB])
async def test_a_frame_that_is_too_long_is_told_and_skipped(size: int) -> None:
    unread, after = await received(retrieved(size))
    assert unread == NotUnderstood("conversation.item.retrieved", TOO_LARGE)
    assert after == OtherEvent("small")


async def test_a_message_in_too_many_pieces_is_read_as_one() -> None:
    """The library takes 4,096."""
    event, after = await received(in_pieces(retrieved(5000), 1))
    assert isinstance(event, ItemRetrieved)
    assert event.item.text == "hello"
    assert after == OtherEvent("small")


async def test_a_message_that_is_too_long_in_pieces_is_told_and_skipped() -> None:
    unread, after = await received(in_pieces(retrieved(17 * MiB), MiB))
    assert unread == NotUnderstood("conversation.item.retrieved", TOO_LARGE)
    assert after == OtherEvent("small")


async def test_a_frame_that_is_no_utf_8_costs_itself() -> None:
    unread, after = await received(b"\xff\xfe")
    assert isinstance(unread, NotUnderstood)
    assert after == OtherEvent("small")


def test_what_is_dropped_takes_no_memory() -> None:
    reader, piece = LongFrameReader(), b"x" * MiB
    reading = reader.read_exact(500 * MiB)
    kept = None
    for _ in range(500):
        reader.feed_data(piece)
        try:
            next(reading)
        except StopIteration as done:
            kept = done.value
        assert len(reader.buffer) <= LARGEST_EVENT + MiB
    assert kept is not None
    assert len(kept) == LARGEST_EVENT + 1
    assert len(reader.buffer) == 0


async def test_a_close_that_is_cut_short_leaves_no_connection() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [key] = re.findall(r"(?i)sec-websocket-key: (\S+)", head)
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
        answer = f"{upgrade}\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
        writer.write(answer.encode())
        # Neither the closing handshake nor the end of the connection is answered.
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()
        gone.set()

    gone = asyncio.Event()
    async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sideband = await dial(f"ws://127.0.0.1:{port}")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await sideband.close()
        async with asyncio.timeout(2):
            await gone.wait()


async def test_pings_whose_answers_nobody_reads_take_no_memory() -> None:
    """The library queues the answer to each."""
    pings = frame_of(0x9, b"x" * 125) * 10_000
    over = asyncio.Event()

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accepted(request))
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            while True:
                writer.write(pings)
                await writer.drain()
        over.set()

    async with await asyncio.start_server(send, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        sideband = await dial(url)
        with pytest.raises(SidebandClosed):
            await sideband.receive_event()
        await over.wait()


def frame_of(opcode: int, payload: bytes) -> bytes:
    return bytes([0x80 | opcode, len(payload)]) + payload


def accepted(request: bytes) -> bytes:
    """The response to a client's handshake (RFC 6455)."""
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    accept = accept_key(key.decode()).encode()
    return upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
