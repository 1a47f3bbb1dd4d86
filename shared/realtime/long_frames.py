"""A WebSocket connection on which a frame that is too long costs itself, not the connection.

The service may send an item with all of its audio, hours of it, whenever a page retrieves it. The
`websockets` library closes the connection on a frame over its limit; here the rest of such a frame
is dropped as it arrives.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from websockets.asyncio import client
from websockets.client import ClientProtocol
from websockets.streams import StreamReader

LARGEST_EVENT = 16 * 1024 * 1024
"""In bytes. A retrieved item may carry its audio."""
DROPPED_AT_ONCE = 64 * 1024
LARGEST_BACKLOG = 4 * 1024 * 1024
"""In bytes, of what waits to be sent. The library answers every ping, read or not."""


class LongFrameReader(StreamReader):
    """Gives of anything long its beginning: one byte more than `LARGEST_EVENT`."""

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        kept = yield from super().read_exact(min(n, LARGEST_EVENT + 1))
        left = n - len(kept)
        while left:
            dropped = yield from super().read_exact(min(left, DROPPED_AT_ONCE))
            left -= len(dropped)
        return kept


class LongFrameConnection(client.ClientConnection):
    """Reads with a `LongFrameReader`. To be made with `max_size=None`, and read by
    `receive_message`, so that many small frames are bounded like one large one."""

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        protocol.reader = LongFrameReader()
        # It has been started with the library's own reader.
        protocol.parser = protocol.parse()
        next(protocol.parser)
        super().__init__(protocol, **options)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.transport.abort()

    async def receive_message(self) -> bytes:
        """The next message; of one over `LARGEST_EVENT` the beginning, which is longer than that.
        It need not be UTF-8. Raises ConnectionClosed."""
        kept = bytearray()
        async for piece in self.recv_streaming(decode=False):
            if len(kept) <= LARGEST_EVENT:
                kept += piece
        return bytes(kept)
