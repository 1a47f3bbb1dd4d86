"""The sideband: a WebSocket that follows one call, and may steer it.

No `session.created` comes first (recorded live traffic), and nothing that has passed is replayed.
"""

import asyncio
import contextlib
import json
import logging

from aiohttp import WSMsgType, web

from local.emulator.call.call import Call, Ended, Observer
from local.emulator.call.registry import CallRegistry
from local.emulator.http.fault_injection import Drop, Faults
from local.emulator.http.request_log import RequestLog
from local.emulator.http.rest import Rest
from local.emulator.protocol import errors

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 16 * 1024 * 1024


class Sideband:
    """The handler of `GET /realtime?call_id=`."""

    def __init__(
        self, rest: Rest, calls: CallRegistry, faults: Faults, records: RequestLog
    ) -> None:
        self.rest, self.calls, self.faults, self.records = rest, calls, faults, records

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """Refuses with 400, 401 or 404 before the handshake; then relays until the call ends."""
        self.records.asked("sideband", request)
        drop = await self.faults.strike("sideband", request)
        self.rest.standard_credential(request)
        if "call_id" not in request.query:
            raise errors.by_api(
                400,
                "not_emulated",
                "The emulator speaks WebRTC: a WebSocket takes the call_id of a call, and there "
                "is no WebSocket session of its own (model=).",
                param="call_id",
            )
        call = self.calls.find(request.query["call_id"])
        socket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        observer = call.observe()
        work = [asyncio.create_task(deliver(observer, socket))]
        if drop is not None:
            work.append(asyncio.create_task(lose(request, socket, drop)))
        try:
            await listen(call, socket)
        finally:
            call.observers.discard(observer)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        return socket


async def listen(call: Call, socket: web.WebSocketResponse) -> None:
    """Client events, until either side closes."""
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            call.receive(message.data)


async def deliver(observer: Observer, socket: web.WebSocketResponse) -> None:
    """Server events, and the close at the end of the call."""
    with contextlib.suppress(ConnectionError):
        while True:
            mail = await observer.mail.get()
            if isinstance(mail, Ended):
                await socket.close(code=mail.code, message=mail.reason.encode())
                return
            await socket.send_str(json.dumps(mail))


async def lose(request: web.Request, socket: web.WebSocketResponse, drop: Drop) -> None:
    """A fault of the script's: the connection goes, the call stays."""
    await asyncio.sleep(drop.after.total_seconds())
    if drop.hard and request.transport is not None:
        request.transport.abort()
    else:
        await socket.close()
