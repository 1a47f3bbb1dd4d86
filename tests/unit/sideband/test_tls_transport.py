"""TLS of our own between asyncio and the application: whom it trusts, and what it hands on."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trustme

from shared.sideband.receive_buffers import BUFFERS, ENCRYPTED_AT_ONCE, LARGEST_BACKLOG
from shared.sideband.tls_transport import TlsTransport, open_tls

HOST = "localhost"
MiB = 1024 * 1024
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Kept(asyncio.BufferedProtocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.came = asyncio.Event()
        self.ended = False
        self.over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.writing_paused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def get_buffer(self, _: int) -> memoryview:
        return BUFFERS.received_view

    def buffer_updated(self, nbytes: int) -> None:
        self.data += BUFFERS.received[:nbytes]
        self.came.set()

    def eof_received(self) -> None:
        self.ended = True

    def pause_writing(self) -> None:
        self.writing_paused += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(exc)


def server_side(authority: trustme.CA, **versions: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, version in versions.items():
        setattr(context, name, version)
    authority.issue_cert(HOST).configure_cert(context)
    return context


def client_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def served(serve: Serve, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(MiB):
        writer.write(data)
        await writer.drain()
    writer.close()


async def received(app: Kept, size: int) -> bytes:
    async with asyncio.timeout(10):
        while len(app.data) < size:
            app.came.clear()
            await app.came.wait()
    return bytes(app.data)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 20_000, 3 * MiB])
async def test_what_is_sent_comes_back_whole(version: ssl.TLSVersion, size: int) -> None:
    authority = trustme.CA()
    sent = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    context = server_side(authority, minimum_version=version, maximum_version=version)
    async with served(echo, context) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        app.transport.write(sent)
        assert await received(app, size) == sent
        app.transport.close()
        assert await app.over is None


async def test_an_authority_that_is_not_trusted_is_refused() -> None:
    app = Kept()
    async with served(echo, server_side(trustme.CA())) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await open_tls(app, client_side(trustme.CA()), HOST, port)
    assert not hasattr(app, "transport"), "nothing is sent to such a server"


async def test_the_certificate_of_another_host_is_refused() -> None:
    authority, app = trustme.CA(), Kept()
    async with served(echo, server_side(authority)) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await open_tls(app, client_side(authority), "127.0.0.1", port)
    assert not hasattr(app, "transport")


async def test_a_server_without_tls_is_refused() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 not what you expect\r\n" * 10)
        writer.close()

    async with served(greet, None) as port:
        with pytest.raises(OSError, match=r"wrong version|record layer|unknown"):
            await open_tls(Kept(), client_side(trustme.CA()), HOST, port)


async def test_a_server_that_leaves_in_the_handshake_is_no_connection() -> None:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with served(leave, None) as port:
        with pytest.raises(OSError):  # noqa: PT011
            await open_tls(Kept(), client_side(trustme.CA()), HOST, port)


async def test_a_handshake_that_takes_too_long_leaves_no_connection() -> None:
    gone = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()
        gone.set()

    trusting = client_side(trustme.CA())
    async with served(stall, None) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await open_tls(Kept(), trusting, HOST, port)
        async with asyncio.timeout(2):
            await gone.wait()


async def test_the_end_of_a_connection_is_told_once() -> None:
    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"bye")
        writer.close()

    authority = trustme.CA()
    async with served(farewell, server_side(authority)) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        app.transport.write(b"x")
        async with asyncio.timeout(5):
            assert await app.over is None
        assert bytes(app.data) == b"bye"
        assert app.ended
        assert app.transport.is_closing()
        app.transport.write(b"nobody gets this")


async def test_a_connection_that_is_over_needs_no_garbage_collector() -> None:
    authority = trustme.CA()
    gc.disable()
    try:
        async with served(echo, server_side(authority)) as port:
            app = Kept()
            remains = weakref.ref(app)
            await open_tls(app, client_side(authority), HOST, port)
            app.transport.close()
            assert await app.over is None
            del app
            await asyncio.sleep(0)
            assert remains() is None
    finally:
        gc.enable()


async def test_what_is_no_tls_ends_the_connection() -> None:
    authority, over = trustme.CA(), asyncio.Event()

    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        plain = writer.transport.get_extra_info("socket")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        os.write(plain.fileno(), b"this is no record at all" * 10)
        await over.wait()
        writer.transport.abort()

    async with served(garble, server_side(authority)) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        app.transport.write(b"x")
        async with asyncio.timeout(5):
            assert isinstance(await app.over, ssl.SSLError)
        over.set()
        await asyncio.sleep(0)


async def test_while_reading_is_paused_little_is_received() -> None:
    authority = trustme.CA()
    sent, blocked = 0, asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        assert not reader.at_eof()
        for _ in range(24):
            writer.write(b"x" * MiB)
            try:
                async with asyncio.timeout(0.3):
                    await writer.drain()
            except TimeoutError:
                blocked.set()
                await writer.drain()
            sent += MiB
        writer.close()

    async with served(pour, server_side(authority)) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        app.transport.pause_reading()
        async with asyncio.timeout(10):
            await blocked.wait()
        before = len(app.data)
        await asyncio.sleep(0.1)
        assert len(app.data) == before
        assert app.transport.stream.incoming.pending <= ENCRYPTED_AT_ONCE
        app.transport.resume_reading()
        assert len(await received(app, 24 * MiB)) == 24 * MiB
        async with asyncio.timeout(5):
            assert await app.over is None


async def test_what_nobody_reads_pauses_writing() -> None:
    authority, over = trustme.CA(), asyncio.Event()

    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()
        writer.transport.abort()

    async with served(ignore, server_side(authority)) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        app.transport.set_write_buffer_limits(64 * 1024)
        app.transport.write(b"x" * 32 * MiB)
        assert app.writing_paused == 1
        assert app.transport.get_write_buffer_size() > 16 * MiB
        app.transport.abort()
        assert await app.over is None
        over.set()
        await asyncio.sleep(0)


async def test_answers_of_tls_itself_that_nobody_reads_end_the_connection() -> None:
    authority, over = trustme.CA(), asyncio.Event()

    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()
        writer.transport.abort()

    async with served(ignore, server_side(authority)) as port:
        app = Kept()
        await open_tls(app, client_side(authority), HOST, port)
        stream, most = app.transport.stream, 0
        for _ in range(64):
            # As if the server had asked for new keys thousands of times.
            stream.outgoing.write(b"k" * MiB)
            stream.read_records()
            most = max(most, app.transport.get_write_buffer_size())
        async with asyncio.timeout(5):
            assert await app.over is None
        assert most <= LARGEST_BACKLOG + MiB
        over.set()
        await asyncio.sleep(0)
