"""What surrounds every handler: the request log, injected faults, and errors as responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from realtime_emulator.http.fault_injection import FAULT, ConnectionReset, Fault, FaultInjector
from realtime_emulator.http.forgotten import ForgottenConnections
from realtime_emulator.http.odd_replies import alter_response, drip_response
from realtime_emulator.http.request_log import RequestLog
from realtime_emulator.http.rest import OPEN_TO_PAGES
from realtime_emulator.protocol import errors

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GONE = 500
"""Stands for a response that nobody will get."""


def plain(handler: Handler) -> Handler:
    """A handler whose ApiError becomes a response."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except errors.ApiError as error:
            return web.json_response(error.body, status=error.status, headers=error.headers)

    return handle


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler of one of the script's routes."""

    route: str
    handler: Handler
    faults: FaultInjector
    connections: ForgottenConnections
    request_log: RequestLog

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The response to `request`, with the fault that the script has for it."""
        if self.connections.is_forgotten(request):
            self.request_log.count_answer(self.route, "forgotten")
            await self.connections.swallow(request)
            return web.Response(status=GONE)
        self.request_log.add_request(self.route, request)
        try:
            fault = await self.faults.inject_fault(self.route, request)
        except ConnectionReset:
            self.request_log.count_answer(self.route, "reset")
            return web.Response(status=GONE)
        response = await self.respond(request, fault)
        await self.break_off(request, response, fault)
        self.connections.touch(request)
        return response

    async def respond(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        request[FAULT] = fault
        status = GONE
        try:
            handler = self.refuse if "status" in fault else self.handler
            response = await plain(handler)(request)
            if self.route == "calls":
                response.headers.update(OPEN_TO_PAGES)
            if "reply" in fault and isinstance(response, web.Response):
                response = alter_response(response, fault["reply"])
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            self.request_log.count_answer(self.route, status)

    async def refuse(self, request: web.Request) -> web.StreamResponse:
        raise self.faults.error_for(self.route, request[FAULT])

    async def break_off(
        self, request: web.Request, response: web.StreamResponse, fault: Fault
    ) -> None:
        """What the fault has in store for the response on its way, or for its connection."""
        if not isinstance(response, web.Response):
            return  # a sideband, which sees to its own
        if "drip_seconds" in fault:
            pause = timedelta(seconds=fault["drip_seconds"])
            await drip_response(request, response, pause, whole=fault.get("drip") != "body")
        elif "forget_after_seconds" in fault:
            limit = timedelta(seconds=fault["forget_after_seconds"])
            self.connections.mark(request, limit, hard=fault.get("reset", False))
