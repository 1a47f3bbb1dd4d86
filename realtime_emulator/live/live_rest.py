"""The REST routes of the Live API: create, hang up, fork, download, and the telephone's."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from aiohttp import web

from realtime_emulator.call.services import Services
from realtime_emulator.live import http_errors
from realtime_emulator.live.authentication import require_credential
from realtime_emulator.live.forking import forked_config
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.live.request_body import parse_create, parse_fork, read_object
from realtime_emulator.live.session_resource import Config
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.sdp.description import OfferRefused

OPEN_TO_PAGES: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Request-Id, CF-Ray",
    "Timing-Allow-Origin": "*",
}


class LiveRest:
    """Handlers of the requests that a server makes."""

    def __init__(self, services: Services, sessions: LiveRegistry) -> None:
        self.services, self.sessions = services, sessions

    async def create(self, request: web.Request) -> web.Response:
        """`POST /live/sessions`. From its 201 on the session runs, and costs."""
        require_credential(self.services, request)
        script = self.services.script.live(self.services.provider)
        body = await read_object(request)
        config, offer = parse_create(body, strict=script.flag("azure_strict"))
        self.require_model(config["model"])
        return await self.answer(config, offer)

    async def fork(self, request: web.Request) -> web.Response:
        """`POST /live/sessions/{id}/fork`: a stored session goes on with a new id."""
        require_credential(self.services, request)
        stored = self.sessions.find_stored(request.match_info["session_id"])
        overrides, offer = parse_fork(await read_object(request))
        try:
            config = forked_config(self.services.provider, stored.config, overrides)
        except Invalid as wrong:
            raise http_errors.invalid(wrong) from None
        config["audio"].pop("format", None)
        return await self.answer(config, offer)

    async def answer(self, config: Config, offer: str) -> web.Response:
        if not self.services.script.live(self.services.provider).flag("has_credit"):
            raise http_errors.no_credit()
        try:
            session, answer = await self.sessions.create(config, offer)
        except OfferRefused as refused:
            raise http_errors.invalid_offer(refused.message) from None
        reply = {"session": {"id": session.id}, "transport": {"type": "webrtc", "sdp": answer}}
        return web.Response(
            status=201,
            text=json.dumps(reply),
            content_type="application/json",
            headers={**OPEN_TO_PAGES, **self.live_headers()},
        )

    def require_model(self, model: str) -> None:
        """Raises ApiError for a model or deployment that does not exist."""
        if not self.services.script.is_live(model):
            script = self.services.script.live(self.services.provider)
            stated: dict[str, Any] = script.values["unknown_model"] or {}
            raise http_errors.no_model(
                self.services.provider, model, stated.get("status"), stated.get("code")
            )

    async def hang_up(self, request: web.Request) -> web.Response:
        """`POST /live/sessions/{id}/hangup`: 200 and empty, then 404."""
        require_credential(self.services, request)
        session = self.sessions.find(request.match_info["session_id"])
        session.close(session.script.close_reason, after=session.script.time("close_seconds"))
        return web.Response(status=200, headers=self.live_headers())

    async def download(self, request: web.Request) -> web.Response:
        """`GET /live/sessions/{id}/content`: the recording of a stored session that has ended."""
        require_credential(self.services, request)
        stored = self.sessions.find_stored(request.match_info["session_id"])
        assert stored.recording is not None, "stored sessions are recorded"
        return web.Response(body=stored.recording.to_wav(), content_type="audio/wav")

    async def refuse_telephony(self, request: web.Request) -> web.Response:
        """`accept`, `reject` and `refer` are for SIP and find no other session."""
        require_credential(self.services, request)
        raise http_errors.no_session()

    def live_headers(self) -> dict[str, str]:
        request_id = secrets.token_hex(16)
        if self.services.provider == "azure":
            return {"apim-request-id": request_id}
        return {"X-Request-Id": f"req_{request_id}"}
