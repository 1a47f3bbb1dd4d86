"""One accepted WebSocket that gets a call's or a session's events, and the fault that it meets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from realtime_emulator.http.fault_injection import Fault
from realtime_emulator.http.forgotten import until_closed
from realtime_emulator.http.odd_replies import encode_raw
from realtime_emulator.protocol.frames import Frame
from realtime_emulator.serving.reset import reset_connection

OK = 1000


@dataclass(frozen=True, slots=True)
class Attachment:
    """`queue` has events (JSON objects or their text), frames, and at last what `finish` takes,
    which closes the connection. `receive` handles what the client sends."""

    request: web.Request
    socket: web.WebSocketResponse
    fault: Fault
    queue: asyncio.Queue[Any]
    receive: Callable[[str], None]
    finish: Callable[[Any], Awaitable[None]]

    async def run(self) -> None:
        """Relays events until either side closes, the end comes or the fault is due."""
        for text in self.fault.get("send", ()):
            await self.socket.send_frame(encode_raw(text), WSMsgType.TEXT)
        due = asyncio.Event()
        sending = asyncio.create_task(self.send_events(due))
        receiving = asyncio.create_task(self.receive_events())
        waiting = asyncio.create_task(self.wait_for_fault(due))
        try:
            await asyncio.wait({receiving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and "forget_after_seconds" in self.fault:
                sending.cancel()
                receiving.cancel()
                await until_closed(self.request)
            elif waiting.done():
                await self.drop()
        finally:
            for task in (sending, receiving, waiting):
                task.cancel()
            await asyncio.gather(sending, receiving, waiting, return_exceptions=True)

    async def receive_events(self) -> None:
        """Handles client events until either side closes."""
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                self.receive(message.data)

    async def send_events(self, due: asyncio.Event) -> None:
        """Sends server events, and closes at the end. Sets `due` after as many as the fault
        allows."""
        remaining = self.fault.get("drop_after_events")
        with contextlib.suppress(ConnectionError):
            while remaining is None or remaining > 0:
                entry = await self.queue.get()
                if isinstance(entry, Frame):
                    opcode = WSMsgType.BINARY if entry.binary else WSMsgType.TEXT
                    await self.socket.send_frame(entry.payload, opcode)
                elif isinstance(entry, str):
                    await self.socket.send_str(entry)
                elif isinstance(entry, dict):
                    await self.socket.send_str(json.dumps(entry))
                else:
                    await self.finish(entry)
                    return
                if remaining is not None:
                    remaining -= 1
            due.set()

    async def wait_for_fault(self, due: asyncio.Event) -> None:
        """Returns when the fault says, if it does."""
        seconds = self.fault.get("forget_after_seconds", self.fault.get("drop_after_seconds"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await due.wait()

    async def drop(self) -> None:
        if self.fault.get("reset"):
            reset_connection(self.request.transport)
        else:
            reason = encode_raw(self.fault.get("close_reason", ""))
            await self.socket.close(code=self.fault.get("close_code", OK), message=reason)
