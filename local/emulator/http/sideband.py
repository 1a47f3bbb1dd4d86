"""The sideband: a WebSocket that observes one call and may control it.

It does not start with `session.created` (recorded live traffic), and past events are not replayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from local.common.reset import reset_connection
from local.emulator.call.call import Call, Ended, Frame, Observer
from local.emulator.call.registry import CallRegistry
from local.emulator.http.fault_injection import FAULT, Fault
from local.emulator.http.forgotten import until_closed
from local.emulator.http.odd_replies import encode_raw
from local.emulator.http.rest import Rest
from local.emulator.protocol import errors

LARGEST_MESSAGE = 16 * 1024 * 1024
OK = 1000


class Sideband:
    """The handler of `GET /realtime?call_id=`."""

    def __init__(self, rest: Rest, calls: CallRegistry) -> None:
        self.rest, self.calls = rest, calls

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """400, 401 or 404 before the handshake; otherwise relays events until the call ends."""
        self.rest.require_standard_credential(request)
        if "call_id" not in request.query:
            raise errors.api_error(
                400,
                "not_emulated",
                "The emulator supports WebRTC only: a WebSocket attaches to a call by its call_id; "
                "WebSocket sessions (model=) are not emulated.",
                param="call_id",
            )
        call = self.calls.find_call(request.query["call_id"])
        socket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        await Attachment(request, socket, call, request[FAULT]).run()
        return socket


@dataclass(frozen=True, slots=True)
class Attachment:
    """One accepted sideband, and the fault that it meets. The call goes on without it."""

    request: web.Request
    socket: web.WebSocketResponse
    call: Call
    fault: Fault

    async def run(self) -> None:
        """Relays events until either side closes, the call ends or the fault is due."""
        for text in self.fault.get("send", ()):
            await self.socket.send_frame(encode_raw(text), WSMsgType.TEXT)
        due = asyncio.Event()
        observer = self.call.add_observer()
        sending = asyncio.create_task(self.send_events(observer, due))
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
            self.call.observers.discard(observer)
            for task in (sending, receiving, waiting):
                task.cancel()
            await asyncio.gather(sending, receiving, waiting, return_exceptions=True)

    async def receive_events(self) -> None:
        """Handles client events until either side closes."""
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                self.call.receive_event(message.data)

    async def send_events(self, observer: Observer, due: asyncio.Event) -> None:
        """Sends server events, and closes at the end of the call. Sets `due` after as many as the
        fault allows."""
        remaining = self.fault.get("drop_after_events")
        with contextlib.suppress(ConnectionError):
            while remaining is None or remaining > 0:
                entry = await observer.queue.get()
                if isinstance(entry, Ended):
                    await self.socket.close(code=entry.code, message=entry.reason.encode())
                    return
                if isinstance(entry, Frame):
                    opcode = WSMsgType.BINARY if entry.binary else WSMsgType.TEXT
                    await self.socket.send_frame(entry.payload, opcode)
                else:
                    await self.socket.send_str(json.dumps(entry))
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
