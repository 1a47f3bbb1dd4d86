"""A connection to this host: what Kestrel would read from it, in place of aiohttp's parser."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import StreamReader
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from local.host.request_head import HeadReader
from local.host.request_target import RefusedRequest
from realtime_emulator.serving.application import Connection

BUFFERED_BYTES = 64 * 1024
CHUNK_LINE_BYTES = 8 * 1024
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r")

Message = tuple[RawRequestMessage | _ErrInfo, Any]
"""A request or a refusal, with the request's body."""


class ChunkSkipper:
    """Finds the end of a chunked body. The app never sees one, as under the real host."""

    def __init__(self) -> None:
        self.tail = b""
        self.left = 0
        self.trailers = False

    def feed(self, data: bytes) -> bytes | None:
        """What follows the body, or None while it goes on. Raises RefusedRequest if it is
        malformed."""
        data = self.tail + data
        self.tail = b""
        while data:
            if self.left:
                skipped = min(self.left, len(data))
                self.left, data = self.left - skipped, data[skipped:]
                continue
            line, end, rest = data.partition(b"\n")
            if not end:
                if len(line) > CHUNK_LINE_BYTES:
                    raise RefusedRequest
                self.tail = data
                return None
            data = rest
            if self.trailers:
                if line in (b"", b"\r"):
                    return data
            else:
                self.begin_chunk(line)
        return None

    def begin_chunk(self, line: bytes) -> None:
        if line == b"\r":  # the end of the chunk before
            return
        found = CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise RefusedRequest
        self.left = int(found[1], 16)
        self.trailers = self.left == 0


class RequestReader:
    """The requests of a connection, one after the other, in place of aiohttp's parser."""

    def __init__(self, protocol: HostConnection, loop: asyncio.AbstractEventLoop) -> None:
        self.protocol = protocol
        self.loop = loop
        self.head = HeadReader()
        self.body: StreamReader | None = None
        self.length = 0
        self.chunks: ChunkSkipper | None = None
        self.broken = self.lost = False

    def feed_data(self, data: bytes) -> tuple[list[Message], bool, bytes]:
        """The requests that are complete up to their bodies; whether the connection is upgraded
        (never), and what follows then."""
        messages: list[Message] = []
        rest: bytes | None = data
        while rest and not self.broken:
            try:
                rest = self.read_body(rest) if self.body else self.read_head(rest, messages)
            except RefusedRequest as refused:
                self.broken = True
                if self.body is None:
                    info = _ErrInfo(refused.status, refused, str(refused))
                    messages.append((info, EMPTY_PAYLOAD))
                else:  # The app has its request already, but where the next one begins is unknown.
                    self.lost = True
                    self.end_body()
        return messages, False, b""

    def read_head(self, data: bytes, messages: list[Message]) -> bytes | None:
        found = self.head.feed(data)
        if found is None:
            return None
        head, rest = found
        self.head = HeadReader()
        if head.length or head.chunked:
            self.length = head.length
            self.chunks = ChunkSkipper() if head.chunked else None
            self.body = StreamReader(self.protocol, BUFFERED_BYTES, loop=self.loop)
        messages.append((head.message, self.body or EMPTY_PAYLOAD))
        return rest

    def read_body(self, data: bytes) -> bytes | None:
        assert self.body is not None
        if self.chunks is not None:
            rest = self.chunks.feed(data)
            if rest is not None:
                self.end_body()
            return rest
        taken, rest = data[: self.length], data[self.length :]
        self.length -= len(taken)
        self.body.feed_data(taken)
        if self.length:
            return None
        self.end_body()
        return rest

    def end_body(self) -> None:
        if self.body is not None:
            body, self.body = self.body, None
            body.feed_eof()

    def feed_eof(self) -> None:
        """Nothing is left to read: a body that broke off is told by the lost connection."""

    def message_consumed(self) -> None:
        """aiohttp bounds the requests that wait; the transport's buffer does it here."""

    def pause_reading(self) -> None:
        """The transport is paused, and what is here is at most one read of it."""


class HostConnection(Connection):
    """A connection that is read by `RequestReader`."""

    __slots__ = ()

    def __init__(self, manager: Any, refuse: Any, **options: Any) -> None:
        super().__init__(manager, refuse, **options)
        # Here alone: aiohttp forgets it once the connection is lost. Each knows the other, so what
        # a connection has would wait for the garbage collector.
        self._parser = RequestReader(self, options["loop"])  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Closes the connection after the response if the end of the body cannot be found."""
        super().data_received(data)
        reader: Any = self._parser
        if reader is not None and reader.lost:
            self._close = True
