"""TLS for many connections of one event loop, without a receive buffer for each.

asyncio's own TLS allocates 256 KiB for each connection and reads once more after every record, to
learn from an exception that there is nothing left. That is most of what a sideband would take in
memory, and a third of the processor time of an event (docs/adr/0020). What TLS is, Python's `ssl`
does here as there: handshake, certificates and records, between two buffers in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from shared.sideband.receive_buffers import BUFFERS, LARGEST_BACKLOG

LARGEST_RECORD = 16 * 1024
"""In bytes, decrypted (RFC 8446, 5.1)."""
MORE_TO_COME = (ssl.SSLWantReadError, ssl.SSLSyscallError)
NOBODY = asyncio.BufferedProtocol()
"""In the place of the application of a connection that is lost."""


class TlsStream(asyncio.BufferedProtocol):
    """The client's end of one connection: encrypted bytes on the transport that it is given, plain
    ones to `app` once the server's certificate has been verified (`ready`)."""

    def __init__(
        self, app: asyncio.BufferedProtocol, context: ssl.SSLContext, server_hostname: str
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.app = app
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=server_hostname)
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self.is_open = False
        self.is_known = False
        """Whether `app` has been told of the connection."""
        self.is_paused = False
        self.has_ended = False
        """Whether the server will send no more."""
        self.unsent = bytearray()
        """What waits for the server to agree on new keys."""
        self.failure: Exception | None = None
        self.encrypted = BUFFERS.encrypted_view

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.shake_hands()

    def shake_hands(self) -> None:
        """Takes the handshake as far as what has come allows."""
        try:
            self.tls.do_handshake()
        except MORE_TO_COME:
            self.send_encrypted()
            return
        except ssl.SSLError as error:
            self.failure = error
            # The server is told why.
            self.send_encrypted()
            self.transport.close()
            return
        self.is_open = self.is_known = True
        self.send_encrypted()
        self.app.connection_made(TlsTransport(self, self.transport))
        if not self.ready.done():
            self.ready.set_result(None)

    def get_buffer(self, _: int) -> memoryview:
        return self.encrypted

    def buffer_updated(self, nbytes: int) -> None:
        self.incoming.write(self.encrypted[:nbytes])
        if not self.is_open:
            self.shake_hands()
        if self.is_open and not self.is_paused:
            self.read_records()

    def read_records(self) -> None:
        """Hands on all that can be decrypted."""
        try:
            while not self.is_paused and self.read_buffer():
                pass
            if self.unsent:
                self.send(b"")
            elif self.outgoing.pending:
                # What TLS itself answers, such as a change of keys.
                self.send_encrypted()
                if self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
                    self.transport.abort()
        except ssl.SSLError as error:
            self.close(error)

    def read_buffer(self) -> bool:
        """Decrypts as much as fits the application's buffer and hands that on. Returns whether
        there may be more. Raises SSLError."""
        buffer = self.app.get_buffer(-1)
        assert isinstance(buffer, memoryview)
        size, filled, has_ended = len(buffer), 0, False
        try:
            while filled < size:
                rest = buffer[filled:] if filled else buffer
                count: Any = self.tls.read(size - filled, rest)
                filled += count
                has_ended = not count
                # Trying to read nothing raises an exception, which takes longer than an event. A
                # record that had room has been read to its end.
                had_room = len(rest) >= LARGEST_RECORD
                if has_ended or (had_room and not self.incoming.pending):
                    break
        except MORE_TO_COME:
            pass
        if filled:
            self.app.buffer_updated(filled)
        if has_ended:
            self.end()
        return filled == size

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypts and sends, after what could not be encrypted yet."""
        if self.unsent:
            self.unsent += data
            data, self.unsent = self.unsent, bytearray()
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.tls.write(rest) :]
        except MORE_TO_COME:
            self.unsent = bytearray(rest)
        except ssl.SSLError as error:
            self.close(error)
            return
        self.send_encrypted()

    def send_encrypted(self) -> None:
        if self.outgoing.pending:
            self.transport.write(self.outgoing.read())

    def end(self) -> None:
        """The server will send no more, and all that it sent has been handed on."""
        self.has_ended = True
        if self.is_open:
            self.app.eof_received()
            self.close()

    def eof_received(self) -> bool:
        self.has_ended = True
        if self.is_paused:
            return True
        self.end()
        return False

    def close(self, failure: ssl.SSLError | None = None) -> None:
        """Says that nothing more will be sent, and closes the connection once all is sent; at once
        after a failure."""
        if failure is not None:
            self.failure, self.is_open = failure, False
            self.transport.abort()
        elif self.is_open:
            self.is_open = False
            # The server's own farewell is not waited for.
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.send_encrypted()
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self.is_known:
            self.app.connection_lost(self.failure or exc)
        elif not self.ready.done():
            lost = ConnectionResetError("the connection was lost during the handshake")
            self.ready.set_exception(self.failure or exc or lost)
        # Without the cycle, the connection's memory does not wait for the garbage collector.
        self.app = NOBODY

    def pause_writing(self) -> None:
        self.app.pause_writing()

    def resume_writing(self) -> None:
        self.app.resume_writing()


class TlsTransport(asyncio.Transport):
    """The application's side of a `TlsStream`."""

    def __init__(self, stream: TlsStream, plain: asyncio.Transport) -> None:
        super().__init__()
        self.stream = stream
        self.plain = plain

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.plain.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return not self.stream.is_open or self.plain.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.stream.is_open:
            self.stream.send(data)

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.plain.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self.plain.get_write_buffer_size() + len(self.stream.unsent)

    def pause_reading(self) -> None:
        self.stream.is_paused = True
        self.plain.pause_reading()

    def resume_reading(self) -> None:
        self.stream.is_paused = False
        self.plain.resume_reading()
        self.stream.loop.call_soon(self.hand_on)

    def hand_on(self) -> None:
        """Hands on what came while reading was paused."""
        stream = self.stream
        if stream.is_open and not stream.is_paused:
            stream.read_records()
            if stream.has_ended:
                stream.end()

    def close(self) -> None:
        self.stream.close()

    def abort(self) -> None:
        self.stream.is_open = False
        self.plain.abort()


async def open_tls(
    app: asyncio.BufferedProtocol,
    context: ssl.SSLContext,
    host: str,
    port: int,
) -> None:
    """Connects `app` to a server whose certificate is good for `host`. Raises OSError, of which
    `ssl.SSLError` is one."""
    loop = asyncio.get_running_loop()
    transport, stream = await loop.create_connection(
        lambda: TlsStream(app, context, host), host, port
    )
    try:
        await stream.ready
    except BaseException:
        transport.abort()
        raise
