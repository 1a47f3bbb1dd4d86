"""A WebSocket connection whose messages are handled where they are received.

The `websockets` library does the handshake, the pings, the closing handshake and whatever else is
not a whole text message; those are most of what comes, and are taken out of the stream before it
(`frame_splitter`). A message is handed to whoever handles them, without a queue and a task to wake
in between; what cannot be handled now waits, and while much waits nothing is received.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

from shared.sideband.frame_splitter import FrameSplitter
from shared.sideband.json_frames import LARGEST_EVENT
from shared.sideband.long_frames import LongFrameReader
from shared.sideband.receive_buffers import BUFFERS, LARGEST_BACKLOG
from shared.sideband.reusable_connection import ReusableConnection

WAITING_AT_MOST = 16
RESUMED_AT = 4
"""Messages that wait to be handled: from the one number on nothing is received, until the other."""
TURN_SECONDS = 0.01
"""How long messages are handled before everything else in the process has a turn."""
Handle = Callable[[bytes], None]


class MessageConnection(ReusableConnection, asyncio.BufferedProtocol):
    """To be made with `max_size=None`: of a message over `LARGEST_EVENT` the beginning is given,
    which is longer than that. A message need not be UTF-8. `dropped` are the beginnings of those
    that are not given at all."""

    dropped: tuple[bytes, ...] = ()

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        self.reader = protocol.reader = LongFrameReader()
        # It has been started with the library's own reader.
        protocol.parser = protocol.parse()
        next(protocol.parser)
        super().__init__(protocol, **options)
        self.splitter = FrameSplitter(self.dropped)
        self.is_split = False
        """Whether what comes is split, from a place between two frames on."""
        self.received_at = self.loop.time()
        self.buffer, self.view = BUFFERS.received, BUFFERS.received_view
        self.fragments = bytearray()
        """Of a message that comes in several frames."""
        self.waiting: deque[bytes] = deque()
        self.is_paused = False
        self.handle: Handle | None = None
        self.changed: asyncio.Future[None] | None = None
        """Done once a message waits, the connection is lost, or a handler has failed."""
        self.failure: Exception | None = None

    @property
    def silent_for(self) -> timedelta | None:
        """For how long nothing has come, where not all that comes is given."""
        if not self.dropped:
            return None
        return timedelta(seconds=self.loop.time() - self.received_at)

    def get_buffer(self, _: int) -> memoryview:
        # Slices of it are filled: those of a bytearray would be copies.
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        self.received_at = self.loop.time()
        if not self.is_split:
            # The handshake's response may end in the middle of a piece, and of a frame.
            ready = self.protocol.state is State.OPEN and self.reader.is_between_frames
            self.is_split = ready and not self.reader.buffer and self.protocol.current_size is None
        if not self.is_split:
            self.data_received(bytes(self.buffer[:nbytes]))
            return
        for is_message, piece in self.splitter.split(self.buffer, nbytes):
            if not is_message:
                self.data_received(piece)
            elif self.protocol.close_rcvd is None and self.protocol.parser_exc is None:
                self.take(piece)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.transport.abort()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self.take_fragment(event)
        else:
            super().process_event(event)

    def take_fragment(self, frame: Frame) -> None:
        """Many small frames are bounded like one large one."""
        if len(self.fragments) <= LARGEST_EVENT:
            self.fragments += frame.data
        if frame.fin:
            message, self.fragments = bytes(self.fragments), bytearray()
            self.take(message)

    def take(self, message: bytes) -> None:
        """Has a message handled, after those that wait."""
        is_in_turn = self.loop.time() - self.received_at < TURN_SECONDS
        if is_in_turn and self.handle is not None and not self.waiting:
            self.handle_message(self.handle, message)
            return
        self.waiting.append(message)
        if len(self.waiting) > WAITING_AT_MOST and not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()
        self.wake()

    def handle_message(self, handle: Handle, message: bytes) -> None:
        try:
            handle(message)
        except Exception as error:
            self.failure, self.handle = error, None
            self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.wake()

    def wake(self) -> None:
        if self.changed is not None and not self.changed.done():
            self.changed.set_result(None)

    async def wait_for_change(self) -> None:
        """Returns once a message waits or a handler has failed. Raises ConnectionClosed."""
        if self.connection_lost_waiter.done():
            raise self.close_exc
        self.changed = self.loop.create_future()
        await self.changed

    def next_message(self) -> bytes:
        """The first of those that wait."""
        message = self.waiting.popleft()
        if self.is_paused and len(self.waiting) <= RESUMED_AT:
            self.is_paused = False
            self.transport.resume_reading()
        return message

    async def receive_message(self) -> bytes:
        """The next message. Raises ConnectionClosed."""
        while not self.waiting:
            await self.wait_for_change()
        return self.next_message()

    async def deliver_messages(self, handle: Handle) -> None:
        """Hands every message from now on to `handle`, most of them as they are received. Raises
        ConnectionClosed, and what `handle` raises."""
        self.handle = handle
        try:
            while True:
                turn_ends = self.loop.time() + TURN_SECONDS
                while self.waiting and self.failure is None and self.loop.time() < turn_ends:
                    self.handle_message(handle, self.next_message())
                if self.failure is not None:
                    raise self.failure
                if self.waiting:
                    await asyncio.sleep(0)
                else:
                    await self.wait_for_change()
        finally:
            self.handle = None


@lru_cache
def connection_class(dropped: tuple[bytes, ...]) -> type[MessageConnection]:
    """Connections on which messages that begin so are dropped."""
    return type("Dropping", (MessageConnection,), {"dropped": dropped})
