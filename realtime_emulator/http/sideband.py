"""The sideband: a WebSocket that observes one call and may control it.

It does not start with `session.created` (recorded live traffic), and past events are not replayed.
"""

from __future__ import annotations

from aiohttp import web

from realtime_emulator.call.call import Ended
from realtime_emulator.call.registry import CallRegistry
from realtime_emulator.http.attachment import Attachment
from realtime_emulator.http.fault_injection import FAULT
from realtime_emulator.http.rest import Rest
from realtime_emulator.live import http_errors
from realtime_emulator.protocol import errors

LARGEST_MESSAGE = 16 * 1024 * 1024


class Sideband:
    """The handler of `GET /realtime?call_id=`."""

    def __init__(self, rest: Rest, calls: CallRegistry) -> None:
        self.rest, self.calls = rest, calls

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """400, 401 or 404 before the handshake; otherwise relays events until the call ends."""
        self.rest.require_standard_credential(request)
        if "call_id" not in request.query:
            model = request.query.get("model", "")
            if self.rest.services.script.is_live(model):
                raise http_errors.realtime_only(model)
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

        async def finish(ended: Ended) -> None:
            await socket.close(code=ended.code, message=ended.reason.encode())

        observer = call.add_observer()
        try:
            await Attachment(
                request, socket, request[FAULT], observer.queue, call.receive_event, finish
            ).run()
        finally:
            call.observers.discard(observer)
        return socket
