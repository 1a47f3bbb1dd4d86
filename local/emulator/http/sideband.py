"""The sideband: a WebSocket that observes one call and may control it.

It does not start with `session.created` (recorded live traffic), and past events are not replayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from aiohttp import WSMsgType, web

from local.emulator.call.call import Call, Ended, Observer
from local.emulator.call.registry import CallRegistry
from local.emulator.http.fault_injection import FaultInjector, SidebandDrop
from local.emulator.http.request_log import RequestLog
from local.emulator.http.rest import Rest
from local.emulator.protocol import errors

LARGEST_MESSAGE = 16 * 1024 * 1024


class Sideband:
    """The handler of `GET /realtime?call_id=`."""

    def __init__(
        self, rest: Rest, calls: CallRegistry, faults: FaultInjector, request_log: RequestLog
    ) -> None:
        self.rest, self.calls, self.faults = rest, calls, faults
        self.request_log = request_log

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """400, 401 or 404 before the handshake; otherwise relays events until the call ends."""
        self.request_log.add_request("sideband", request)
        drop = await self.faults.inject_fault("sideband", request)
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
        observer = call.add_observer()
        tasks = [asyncio.create_task(send_events(observer, socket))]
        if drop is not None:
            tasks.append(asyncio.create_task(drop_socket(request, socket, drop)))
        try:
            await receive_events(call, socket)
        finally:
            call.observers.discard(observer)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return socket


async def receive_events(call: Call, socket: web.WebSocketResponse) -> None:
    """Handles client events until either side closes."""
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            call.receive_event(message.data)


async def send_events(observer: Observer, socket: web.WebSocketResponse) -> None:
    """Sends server events, and closes at the end of the call."""
    with contextlib.suppress(ConnectionError):
        while True:
            entry = await observer.queue.get()
            if isinstance(entry, Ended):
                await socket.close(code=entry.code, message=entry.reason.encode())
                return
            await socket.send_str(json.dumps(entry))


async def drop_socket(
    request: web.Request, socket: web.WebSocketResponse, drop: SidebandDrop
) -> None:
    """An injected fault: the connection is lost, the call goes on."""
    await asyncio.sleep(drop.after.total_seconds())
    if drop.hard and request.transport is not None:
        request.transport.abort()
    else:
        await socket.close()
