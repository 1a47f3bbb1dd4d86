"""A way to a server that can be cut, and stalled.

Cut: connections through it end, new ones are refused at once. Stalled: they stay, and nothing that
is sent arrives.
"""

from __future__ import annotations

import asyncio
import contextlib

from local.common import server


class Relay:
    """Relays one port of this machine. Use as an async context manager."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.is_cut = False
        self.flows = asyncio.Event()
        self.flows.set()
        self.open: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self.relay, server.LOOPBACK, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.sever()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def cut(self) -> None:
        """From now on there is no way."""
        self.is_cut = True
        self.sever()

    def stall(self) -> None:
        """From now on nothing comes through."""
        self.flows.clear()

    def restore(self) -> None:
        """The way is free again; what was stalled arrives."""
        self.is_cut = False
        self.flows.set()

    def sever(self) -> None:
        """Ends every connection, without a word."""
        for writer in self.open:
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.is_cut:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            there, onward = await asyncio.open_connection(server.LOOPBACK, self.to)
            self.open |= {writer, onward}
            try:
                await asyncio.gather(self.pass_on(reader, onward), self.pass_on(there, writer))
            finally:
                for each in (writer, onward):
                    self.open.discard(each)
                    each.close()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(64 * 1024):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
