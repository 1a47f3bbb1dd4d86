"""Messages are handled where they are received, in their order, in bounded time and memory."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from websockets.asyncio.server import ServerConnection, serve

from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.events import ServerEvent
from shared.sideband.message_connection import TURN_SECONDS, WAITING_AT_MOST
from shared.sideband.sideband import SidebandClosed, Timeouts
from shared.sideband.websocket_sideband import WebSocketSideband, connect_websocket

SOON = timedelta(seconds=5)
Send = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def dialled(send: Send) -> AsyncIterator[WebSocketSideband]:
    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        timeouts = Timeouts(SOON, SOON, SOON)
        yield await connect_websocket(url, {}, REALTIME_SIDEBAND, None, timeouts)


def numbered(number: int) -> str:
    return json.dumps({"type": f"event.{number}"})


async def test_events_are_delivered_in_their_order_whatever_frames_they_come_in() -> None:
    async def send(socket: ServerConnection) -> None:
        for number in range(300):
            text = numbered(number)
            if number % 7 == 3:
                await socket.send([text[:4], text[4:9], text[9:]])
            else:
                await socket.send(text)
            if number % 50 == 0:
                await socket.ping()
        await socket.close()

    found: list[str] = []
    async with dialled(send) as sideband:
        first = await sideband.receive_event()
        with pytest.raises(SidebandClosed) as closed:
            await sideband.deliver_events(lambda event: found.append(event.type))
        assert closed.value.clean
    assert [first.type, *found] == [f"event.{number}" for number in range(300)]


async def test_a_delivery_that_is_cancelled_loses_nothing() -> None:
    async def send(socket: ServerConnection) -> None:
        for number in range(100):
            await socket.send(numbered(number))
            await asyncio.sleep(0.001)
        await socket.close()

    found: list[str] = []
    async with dialled(send) as sideband:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await sideband.deliver_events(lambda event: found.append(event.type))
        await asyncio.sleep(0.01)
        found.append((await sideband.receive_event()).type)
        with pytest.raises(SidebandClosed):
            await sideband.deliver_events(lambda event: found.append(event.type))
    assert found == [f"event.{number}" for number in range(100)]


async def test_while_nobody_takes_messages_few_wait() -> None:
    over = asyncio.Event()

    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        for _ in range(200):
            await socket.send(json.dumps({"type": "large", "text": "x" * 100_000}))
        over.set()
        await socket.wait_closed()

    async with dialled(send) as sideband:
        await sideband.send_event({"type": "go"})
        await asyncio.sleep(0.3)
        assert not over.is_set()
        assert WAITING_AT_MOST < len(sideband.socket.waiting) <= WAITING_AT_MOST + 3
        for _ in range(200):
            await sideband.receive_event()
        await over.wait()


async def test_slow_handling_leaves_everything_else_its_turn() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        text = "".join(numbered(number).ljust(40) for number in range(60))
        for start in range(0, len(text), 40):
            # Into one piece, as far as the network goes along.
            socket.protocol.send_text(text[start : start + 40].encode())
        socket.send_data()
        await socket.wait_closed()

    turns: list[int] = []
    had = 0

    async def count_turns() -> None:
        nonlocal had
        while True:
            await asyncio.sleep(0)
            had += 1

    def handle(_: ServerEvent) -> None:
        time.sleep(TURN_SECONDS / 2)
        turns.append(had)
        if len(turns) == 60:
            done.set()

    done = asyncio.Event()
    async with dialled(send) as sideband:
        counting = asyncio.create_task(count_turns())
        delivering = asyncio.create_task(sideband.deliver_events(handle))
        await sideband.send_event({"type": "go"})
        async with asyncio.timeout(10):
            await done.wait()
        counting.cancel()
        delivering.cancel()
    assert turns[-1] - turns[0] >= 10, "two messages or three a turn"


async def test_a_handler_that_fails_ends_the_delivery_alone() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(3):
            await socket.send(numbered(number))
        await socket.wait_closed()

    def fail(_: ServerEvent) -> None:
        raise LookupError

    async with dialled(send) as sideband:
        await sideband.send_event({"type": "go"})
        with pytest.raises(LookupError):
            await sideband.deliver_events(fail)
        assert (await sideband.receive_event()).type == "event.1"
        await sideband.close()


async def test_what_follows_a_closing_frame_is_not_heard() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        socket.protocol.send_text(numbered(0).encode())
        frame = bytes([0x81, 2]) + b"{}"
        socket.protocol.send_close(1000)
        socket.protocol.writes.append(frame)
        socket.send_data()

    found: list[str] = []
    async with dialled(send) as sideband:
        await sideband.send_event({"type": "go"})
        with pytest.raises(SidebandClosed):
            await sideband.deliver_events(lambda event: found.append(event.type))
    assert found == ["event.0"]
