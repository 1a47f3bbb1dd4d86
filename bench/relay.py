"""A way to a server that can be cut: connections through it end, new ones are refused at once."""

from __future__ import annotations

import asyncio
import contextlib

from local import serving


class Relay:
    """Relays one port of this machine. Use as an async context manager."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.cut = False
        self.open: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self.relay, serving.LOOPBACK, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.sever()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def sever(self) -> None:
        """Ends every connection, without a word."""
        for writer in self.open:
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.cut:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            there, onward = await asyncio.open_connection(serving.LOOPBACK, self.to)
            self.open |= {writer, onward}
            try:
                await asyncio.gather(pass_on(reader, onward), pass_on(there, writer))
            finally:
                for each in (writer, onward):
                    self.open.discard(each)
                    each.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    writer.close()
