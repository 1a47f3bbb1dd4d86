"""A stand-in for one endpoint of several: keys, calls, hang-ups and sidebands on one port.

It can run out of quota, die with its calls, and come back without them. It keeps what it was asked,
so that a test sees which of several was asked for what. A call's sideband tells one turn of words
that name the call.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from aiohttp import WSCloseCode, web

from bench.harness.fake_sideband import turn_events
from tests.support.scripted_endpoint import ANSWER

GONE = {"error": {"code": "call_id_not_found", "message": "no such call"}}
FULL = {"error": {"code": "rate_limit_exceeded", "message": "too many requests"}}
RETRY_AFTER = "1"
LONG_AGO = 4_000_000_000


class EndpointStandIn:
    """One endpoint. `offers` are those that started a call, in the order of their calls; `refused`
    counts what the quota refused; `strangers` are ids of calls that were never its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.has_quota = True
        self.offers: dict[str, str] = {}
        self.live: set[str] = set()
        self.observed: set[str] = set()
        self.hung_up: list[str] = []
        self.refused = 0
        self.strangers: list[str] = []
        self.sockets: set[web.WebSocketResponse] = set()
        self.runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listens, on the same port as before if there was one. No call is left of before."""
        app = web.Application()
        for base in ("/openai/v1/realtime", "/v1/realtime"):
            app.router.add_post(f"{base}/client_secrets", self.mint)
            app.router.add_post(f"{base}/calls", self.call)
            app.router.add_post(f"{base}/calls/{{id}}/hangup", self.hang_up)
            app.router.add_get(base, self.observe)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def die(self) -> None:
        """Stops at once, and every call with it."""
        self.live.clear()
        for socket in list(self.sockets):
            transport = socket.get_extra_info("transport")
            if transport is not None:
                transport.abort()
        assert self.runner is not None
        await self.runner.cleanup()
        self.runner = None

    def refuse(self) -> web.Response:
        self.refused += 1
        return web.json_response(FULL, status=429, headers={"Retry-After": RETRY_AFTER})

    async def mint(self, _: web.Request) -> web.Response:
        if not self.has_quota:
            return self.refuse()
        return web.json_response({"value": f"ek_{self.name}", "expires_at": LONG_AGO})

    async def call(self, request: web.Request) -> web.Response:
        if request.content_type == "application/sdp":
            assert request.headers["Authorization"] == f"Bearer ek_{self.name}"
            offer = await request.text()
        else:
            offer = str((await request.post())["sdp"])
        if not self.has_quota:
            return self.refuse()
        call = f"rtc_{self.name}{secrets.token_hex(12)}"
        self.offers[call] = offer
        self.live.add(call)
        location = {"Location": f"/v1/realtime/calls/{call}"}
        return web.Response(
            status=201, text=ANSWER, content_type="application/sdp", headers=location
        )

    def is_gone(self, call: str) -> bool:
        if call not in self.offers:
            self.strangers.append(call)
        return call not in self.live

    async def hang_up(self, request: web.Request) -> web.Response:
        call = request.match_info["id"]
        if self.is_gone(call):
            return web.json_response(GONE, status=404)
        self.live.discard(call)
        self.hung_up.append(call)
        for socket in list(self.sockets):
            if socket.get("call") == call:
                await socket.close(code=WSCloseCode.OK)
        return web.json_response({})

    async def observe(self, request: web.Request) -> web.StreamResponse:
        call = request.query["call_id"]
        if self.is_gone(call):
            return web.json_response(GONE, status=404)
        socket = web.WebSocketResponse()
        socket["call"] = call
        await socket.prepare(request)
        self.sockets.add(socket)
        self.observed.add(call)
        try:
            for number, event in enumerate(turn_events(call, 0, None)):
                await socket.send_str(json.dumps({**event, "event_id": f"event_{number}"}))
            async for message in socket:
                await self.answer(socket, json.loads(message.data))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.sockets.discard(socket)
        return socket

    async def answer(self, socket: web.WebSocketResponse, event: dict[str, Any]) -> None:
        """Answers a `session.update`, as the service does."""
        if event["type"] == "session.update":
            updated = {"type": "session.updated", "event_id": "e", "session": event["session"]}
            await socket.send_str(json.dumps(updated))
