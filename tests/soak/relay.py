"""A TCP relay that can be cut and stalled, and that can forget its connections.

Cut: its connections are aborted, new ones refused at once. Stalled: connections stay open, and
nothing that is sent arrives until it is restored. Forgotten: the same, and it never arrives; new
connections work.
"""

from __future__ import annotations

import asyncio
import contextlib

from realtime_emulator.serving import server


class Relay:
    """Relays one port of this machine. Use as an async context manager."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.is_cut = False
        self.generation = 0
        """Connections of earlier ones are forgotten."""
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Relay:
        self.server = await asyncio.start_server(self.relay, server.LOOPBACK, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.abort_connections()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def cut(self) -> None:
        self.is_cut = True
        self.abort_connections()

    def stall(self) -> None:
        self.flowing.clear()

    def forget(self) -> None:
        """As a middlebox that has lost its state: neither end is told."""
        self.generation += 1

    def restore(self) -> None:
        """Undoes both; what was stalled arrives."""
        self.is_cut = False
        self.flowing.set()

    def abort_connections(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        if self.is_cut:
            writer.transport.abort()
            return
        # Cancelled when the relay closes, which Python 3.11 would log as an error.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            answers, onward = await asyncio.open_connection(server.LOOPBACK, self.target)
            self.writers |= {writer, onward}
            try:
                now = self.generation
                await asyncio.gather(
                    self.forward(reader, onward, now), self.forward(answers, writer, now)
                )
            finally:
                for each in (writer, onward):
                    self.writers.discard(each)
                    each.close()

    async def forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(64 * 1024):
                await self.flowing.wait()
                if generation < self.generation:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()
