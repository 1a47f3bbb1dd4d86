"""A WebSocket connection on which a frame that is too long costs itself, not the connection.

The service may send an item with all of its audio, hours of it, whenever a page retrieves it. The
`websockets` library closes the connection on a frame over its limit; here the rest of such a frame
is dropped as it arrives, and so are frames that nobody needs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from datetime import timedelta
from functools import lru_cache
from typing import Any

from websockets.asyncio import client
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.streams import StreamReader

from shared.sideband.frame_dropper import FrameDropper
from shared.sideband.json_frames import LARGEST_EVENT

DROPPED_AT_ONCE = 64 * 1024
RECEIVED_AT_ONCE = 256 * 1024
LARGEST_BACKLOG = 4 * 1024 * 1024
"""In bytes, of what waits to be sent. The library answers every ping, read or not."""


class LongFrameReader(StreamReader):
    """Gives of anything long its beginning: one byte more than `LARGEST_EVENT`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_between_frames = False
        """Whether all that has come is read, and a frame begins with what comes next."""

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        kept = yield from super().read_exact(min(n, LARGEST_EVENT + 1))
        left = n - len(kept)
        while left:
            dropped = yield from super().read_exact(min(left, DROPPED_AT_ONCE))
            left -= len(dropped)
        return kept

    def at_eof(self) -> Generator[None, None, bool]:
        # The library asks this before each frame, and waits here for the frame to begin.
        self.is_between_frames = True
        ended = yield from super().at_eof()
        self.is_between_frames = False
        return ended


class LongFrameConnection(client.ClientConnection):
    """Reads with a `LongFrameReader`. To be made with `max_size=None`, and read by
    `receive_message`, so that many small frames are bounded like one large one."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        self.reader = protocol.reader = LongFrameReader()
        # It has been started with the library's own reader.
        protocol.parser = protocol.parse()
        next(protocol.parser)
        super().__init__(protocol, **options)

    def data_received(self, data: bytes | bytearray) -> None:
        super().data_received(data)  # type: ignore[arg-type]
        if self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.transport.abort()

    @property
    def silent_for(self) -> timedelta | None:
        """For how long nothing has come, where that is known."""
        return None

    async def receive_message(self) -> bytes:
        """The next message; of one over `LARGEST_EVENT` the beginning, which is longer than that.
        It need not be UTF-8. Raises ConnectionClosed."""
        kept = bytearray()
        async for piece in self.recv_streaming(decode=False):
            if len(kept) <= LARGEST_EVENT:
                kept += piece
        return bytes(kept)


class ThreadBuffers(threading.local):
    """One buffer a thread: what an event loop receives is handled before it receives more."""

    def __init__(self) -> None:
        self.buffer = bytearray(RECEIVED_AT_ONCE)
        self.view = memoryview(self.buffer)


BUFFERS = ThreadBuffers()


class DroppingConnection(LongFrameConnection, asyncio.BufferedProtocol):
    """Drops the frames that begin in one of `beginnings` before the library sees them."""

    beginnings: tuple[bytes, ...]

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self.dropper = FrameDropper(self.beginnings)
        self.drops = False
        self.received_at = self.loop.time()
        self.buffer, self.view = BUFFERS.buffer, BUFFERS.view

    @property
    def silent_for(self) -> timedelta:
        return timedelta(seconds=self.loop.time() - self.received_at)

    def get_buffer(self, _: int) -> memoryview:
        # asyncio's TLS fills slices of it: those of a bytearray would be copies.
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        self.received_at = self.loop.time()
        if not self.drops:
            # The handshake's response may end in the middle of a piece, and of a frame.
            ready = self.protocol.state is State.OPEN and self.reader.is_between_frames
            self.drops = ready and not self.reader.buffer
        data = self.dropper.rest_of(self.buffer, nbytes) if self.drops else self.buffer[:nbytes]
        if data:
            self.data_received(data)


@lru_cache
def connection_class(dropped: tuple[bytes, ...]) -> type[LongFrameConnection]:
    """Connections on which frames that begin so are dropped."""
    if not dropped:
        return LongFrameConnection

    class Dropping(DroppingConnection):
        beginnings = dropped

    return Dropping
