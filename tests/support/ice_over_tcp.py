"""Lets a browser reach the emulator's media over TCP, as it would a real endpoint's port 3478.

async with ice_over_tcp() as relay:
    answer = relay.offer_tcp_in(answer)
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (127\.0\.0\.1) (\d+) typ host.*$", re.M)
LENGTH = struct.Struct("!H")


class Returning(asyncio.DatagramProtocol):
    """What the emulator sends, framed for the browser (RFC 4571)."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.writer.write(LENGTH.pack(len(data)) + data)


class Relay:
    """A TCP port that passes packets on to the emulator's UDP port, and back."""

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    def offer_tcp_in(self, answer: str, *, dead_udp: int = 0) -> str:
        """An answer with this relay's address too; with `dead_udp`, that port for every UDP one."""
        found = CANDIDATE.search(answer)
        assert found, answer
        self.target = int(found[2])
        tcp = f"a=candidate:9 1 tcp 1671430143 127.0.0.1 {self.port} typ host tcptype passive"
        if dead_udp:
            others = re.compile(r"^a=candidate:.* udp .*\r?\n", re.M)
            udp = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {dead_udp} typ host"
            head, tail = answer[: found.start()], answer[found.end() :]
            return f"{others.sub('', head)}{udp}\r\n{tcp}{others.sub('', tail)}"
        return f"{answer[: found.end()].rstrip()}\r\n{tcp}{answer[found.end() :]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Returning(writer), remote_addr=("127.0.0.1", self.target)
        )
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                    transport.sendto(await reader.readexactly(length))
        finally:
            transport.close()
            writer.close()


@asynccontextmanager
async def ice_over_tcp() -> AsyncIterator[Relay]:
    relay = Relay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for writer in relay.writers:
            writer.close()
