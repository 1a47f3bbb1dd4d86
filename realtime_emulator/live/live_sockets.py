"""The WebSockets of the Live API: sidebands, primary connections, forks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import WSMsgType, web

from realtime_emulator.call.services import Services
from realtime_emulator.http.attachment import OK, Attachment
from realtime_emulator.http.fault_injection import FAULT
from realtime_emulator.live import events, http_errors, session_schema
from realtime_emulator.live.authentication import require_socket_credential
from realtime_emulator.live.client_events import parse_event
from realtime_emulator.live.forking import forked_config
from realtime_emulator.live.json_shapes import TEXT, Nullable, Object
from realtime_emulator.live.outlets import Ended, Outlet
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.live.request_body import check_session
from realtime_emulator.live.session import LiveSession
from realtime_emulator.live.session_end import DROP_AFTER
from realtime_emulator.live.session_resource import Config
from realtime_emulator.protocol.validators import Invalid

LARGEST_MESSAGE: Final = 64 * 1024 * 1024
GRACEFUL: Final = ("true", "1")
START_WITHIN: Final = timedelta(seconds=30)
"""How long a primary WebSocket may take to say what it wants. How long the service waits is not
known."""


class LiveSockets:
    """Handlers of the upgrades."""

    def __init__(self, services: Services, sessions: LiveRegistry) -> None:
        self.services, self.sessions = services, sessions

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """`GET /live/sessions/{id}/attach`: 404 before the handshake for a session that has ended,
        was never, or is on a primary WebSocket."""
        require_socket_credential(self.services, request)
        session = self.sessions.find(request.match_info["session_id"])
        if session.is_primary:
            raise http_errors.no_session()
        socket = await accept(request)
        script = session.script
        graceful = request.query.get("graceful_close", "").lower() in GRACEFUL
        with_handshake = graceful or script.flag("close_handshake")
        outlet = session.outlets.attach()
        await self.relay(request, socket, session, outlet, "sideband", with_handshake)
        return socket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """`GET /live/sessions`: a session on this WebSocket, which `session.start` starts."""
        require_socket_credential(self.services, request)
        self.sessions.require_room()
        socket = await accept(request)
        strict = self.services.script.live(self.services.provider).flag("azure_strict")
        shape = session_schema.AZURE_START if strict else session_schema.START
        await self.run_primary(request, socket, shape, ("session", "session.model"), lambda c: c)
        return socket

    async def fork(self, request: web.Request) -> web.StreamResponse:
        """`GET /live/sessions/{id}/fork`: a stored session goes on, on this WebSocket."""
        require_socket_credential(self.services, request)
        stored = self.sessions.find_stored(request.match_info["session_id"])
        self.sessions.require_room()
        socket = await accept(request)
        merge = partial(forked_config, self.services.provider, stored.config)
        await self.run_primary(request, socket, session_schema.FORK_START, ("session",), merge)
        return socket

    async def run_primary(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        shape: Object,
        required: tuple[str, ...],
        make_config: Callable[[Config], Config],
    ) -> None:
        """Starts a session with the first frame, and ends it with the connection."""
        started = await self.receive_start(request, socket, shape, required, make_config)
        if started is None:
            return
        config, client_event_id = started
        session = self.sessions.make_primary(config)
        outlet = await session.start_on_socket(client_event_id)
        self.sessions.add(session)
        try:
            await self.relay(request, socket, session, outlet, "primary", True)
        finally:
            session.ending.lose()

    async def receive_start(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        shape: Object,
        required: tuple[str, ...],
        make_config: Callable[[Config], Config],
    ) -> tuple[Config, str | None] | None:
        """The session that the first frame asks for. What is wrong with it is said instead of
        `session.started`, and the connection is dropped: None."""
        client_event_id = None
        try:
            message = await socket.receive(timeout=START_WITHIN.total_seconds())
        except TimeoutError:
            message = None
        if message is None or message.type is not WSMsgType.TEXT:
            await socket.close()
            return None
        try:
            event = parse_event(message.data)
            named = event.get("event_id")
            client_event_id = named if isinstance(named, str) else None
            if event.get("type") != "session.start":
                text = "The first event must be 'session.start'."
                raise Invalid("invalid_event", text, "type")
            check_start(event, shape, required)
            config = make_config(event["session"])
            self.check_model(config["model"])
        except Invalid as wrong:
            refusal = events.error(
                wrong.code, wrong.message, param=wrong.param, client_event_id=client_event_id
            )
            await self.refuse(request, socket, refusal)
            return None
        return config, client_event_id

    def check_model(self, model: str) -> None:
        if not self.services.script.is_live(model):
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise Invalid("model_not_found", message, "session.model")
        if not self.services.script.live(self.services.provider).flag("has_credit"):
            raise Invalid("credit_balance_exhausted", "Your credit balance is exhausted.", None)

    async def refuse(
        self, request: web.Request, socket: web.WebSocketResponse, refusal: dict[str, Any]
    ) -> None:
        """The error, and a while later the end of the connection without a closing handshake."""
        await socket.send_str(json.dumps(refusal))
        await asyncio.sleep(DROP_AFTER.total_seconds())
        drop(request)

    async def relay(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        session: LiveSession,
        outlet: Outlet,
        source: str,
        with_handshake: bool,
    ) -> None:
        async def finish(ended: Ended) -> None:
            if with_handshake and not ended.is_lost:
                await socket.close(code=OK)
            else:
                drop(request)

        def receive(text: str) -> None:
            session.listener.receive_event(text, source)

        try:
            await Attachment(request, socket, request[FAULT], outlet.queue, receive, finish).run()
        finally:
            session.outlets.detach(outlet)


def check_start(event: dict[str, Any], shape: Object, required: tuple[str, ...]) -> None:
    """Raises Invalid for a `session.start` that is not as it should be."""
    whole = Object({"type": TEXT, "event_id": Nullable(TEXT), "session": shape})
    check_session(event, whole, required, has_media=False)


async def accept(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=LARGEST_MESSAGE, compress=False)
    await socket.prepare(request)
    return socket


def drop(request: web.Request) -> None:
    """Ends the connection once everything is sent, without a closing handshake."""
    if request.transport is not None:
        request.transport.close()
