"""The REST routes: mint a key, start a call, hang up."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from aiohttp import web

from realtime_emulator.call.call import Ended
from realtime_emulator.call.registry import CallRegistry
from realtime_emulator.call.services import Services
from realtime_emulator.http import client_secrets, offer_body
from realtime_emulator.http.client_secrets import DEFAULT_LIFE, ClientSecrets
from realtime_emulator.http.request_log import RequestLog
from realtime_emulator.live import http_errors
from realtime_emulator.protocol import errors, session, session_schema
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid, missing
from realtime_emulator.sdp.description import OfferRefused

DEFAULT_MODEL = "gpt-realtime-1.5"
SAFE_HEADERS = "authorization, content-type, x-openai-agents-sdk"
OPEN_TO_PAGES = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location,X-Request-Id",
    "Timing-Allow-Origin": "*",
}


def bearer_token(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


class Rest:
    """Handlers of the requests that a server or a page makes."""

    def __init__(
        self,
        services: Services,
        calls: CallRegistry,
        secrets: ClientSecrets,
        request_log: RequestLog,
    ) -> None:
        self.services, self.calls, self.secrets = services, calls, secrets
        self.request_log = request_log

    def require_standard_credential(self, request: web.Request) -> None:
        """Requires a resource's or project's key, or an Entra token (whose content is not checked).

        Raises ApiError 401.
        """
        self.refuse_preview(request)
        credential = bearer_token(request)
        if self.services.provider == "azure":
            credential = request.headers.get("api-key", credential)
        if not self.services.script.accepts(credential):
            raise errors.unauthorized(self.services.provider)

    def refuse_preview(self, request: web.Request) -> None:
        provider = self.services.provider
        if "api-version" in request.query:
            raise errors.preview_only(provider, "api-version")
        if "OpenAI-Beta" in request.headers:
            raise errors.preview_only(provider, "OpenAI-Beta header")

    async def create_client_secret(self, request: web.Request) -> web.Response:
        """`POST /realtime/client_secrets`."""
        self.require_standard_credential(request)
        body = await parse_mint_request(request)
        self.request_log.expires_after = body.get("expires_after")
        config = self.build_session(body.get("session"))
        life = DEFAULT_LIFE[self.services.provider]
        if (body.get("expires_after") or {}).get("seconds"):
            life = timedelta(seconds=body["expires_after"]["seconds"])
        key = self.secrets.mint_key(config, min(life, self.services.script.time("key_seconds_max")))
        self.request_log.minted += 1
        reply = {"value": key.value, "expires_at": int(key.expires_at), "session": config}
        return web.json_response(reply, headers=self.live_headers())

    def build_session(self, requested: dict[str, Any] | None) -> session.Config:
        """The full session for a validated request.

        Raises ApiError if the model is missing where it is required, or is not a realtime model.
        """
        provider, script = self.services.provider, self.services.script
        if requested is not None and session.is_transcription(requested):
            return self.build_transcription(requested)
        if provider == "azure" and (requested is None or "model" not in requested):
            raise errors.invalid_parameter(
                missing("session.type" if requested is None else "session.model")
            )
        requested = {"type": "realtime", "model": DEFAULT_MODEL, **(requested or {})}
        model = requested["model"]
        if script.is_live(model):
            raise http_errors.realtime_only(model)
        if any(script.is_deployed(kind, model) for kind in ("transcription", "other")):
            raise errors.not_realtime(provider)
        if not script.is_deployed("realtime", model):
            raise errors.no_deployment(provider, model)
        return session.create({**requested, "model": script.model_behind(model)})

    def build_transcription(self, requested: dict[str, Any]) -> session.Config:
        """The full session of a request that only transcribes. Raises ApiError as `build_session`,
        about the model that transcribes."""
        config = session.create(requested)
        model = (config["audio"]["input"]["transcription"] or {}).get("model")
        if model is None:
            raise errors.invalid_parameter(missing("session.audio.input.transcription.model"))
        if not self.services.script.is_deployed("transcription", model):
            raise errors.no_deployment(self.services.provider, model)
        return config

    async def start_call(self, request: web.Request) -> web.Response:
        """`POST /realtime/calls`. The credential is checked before the offer."""
        self.refuse_preview(request)
        config = self.session_from_key(request)
        body = await request.read()
        if config is None and request.content_type == "multipart/form-data":
            offer, requested = offer_body.parse_form(body, request.headers["Content-Type"])
            config = self.build_session(requested)
        elif config is None:
            offer = offer_body.parse_sdp(body)
            config = self.build_session({"type": "realtime", **model_parameter(request)})
        elif self.services.provider == "openai" and request.content_type == "multipart/form-data":
            offer, requested = offer_body.parse_form(body, request.headers["Content-Type"])
            config = session.merge(config, requested or {})
        else:
            offer = offer_body.parse_sdp(body)
        filtered = request.query.get("webrtcfilter") == "on"
        try:
            call, answer = await self.calls.start_call(offer, config, filtered=filtered)
        except OfferRefused as refused:
            raise errors.invalid_offer(refused.message) from None
        return web.Response(
            status=201,
            text=answer,
            content_type="text/plain",
            charset="utf-8",
            headers={"Location": f"/v1/realtime/calls/{call.id}", **self.live_headers()},
        )

    def session_from_key(self, request: web.Request) -> session.Config | None:
        """The session of an ephemeral key, or None for a standard key (OpenAI only).

        Raises ApiError 401.
        """
        provider, credential = self.services.provider, bearer_token(request)
        if not credential.startswith(client_secrets.PREFIX):
            if provider == "azure":
                raise errors.not_ephemeral(provider)
            if not self.services.script.accepts(credential):
                raise errors.unauthorized(provider)
            return None
        try:
            return self.secrets.find_key(credential).session
        except client_secrets.KeyExpired:
            raise errors.key_expired() from None
        except client_secrets.KeyUnknown:
            raise errors.key_unknown() from None

    async def answer_preflight(self, request: web.Request) -> web.Response:
        """`OPTIONS /realtime/calls`. OpenAI refuses request headers that it does not know."""
        requested = request.headers.get("Access-Control-Request-Headers", "").lower()
        allowed = SAFE_HEADERS
        unknown = {n.strip() for n in requested.split(",") if n.strip()} - set(allowed.split(", "))
        if unknown and self.services.provider == "openai":
            return web.Response(status=400, text="Disallowed CORS headers")
        if self.services.provider == "azure" and requested:
            allowed = requested
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Origin": "*",
                "Access-Control-Allow-Methods": "POST, OPTIONS",
                "Access-Control-Allow-Headers": allowed,
                "Access-Control-Max-Age": "600",
            },
        )

    async def hang_up(self, request: web.Request) -> web.Response:
        """`POST /realtime/calls/{id}/hangup`."""
        self.require_standard_credential(request)
        self.calls.find_call(request.match_info["call_id"]).end(Ended(1000, "hung up over REST"))
        return web.Response(status=200, headers=self.live_headers())

    async def refuse_telephony(self, request: web.Request) -> web.Response:
        """`accept`, `refer` and `reject` are for SIP calls and find no WebRTC call."""
        self.require_standard_credential(request)
        raise errors.no_call()

    def live_headers(self) -> dict[str, str]:
        """The headers that the live service adds to its responses."""
        request_id = f"{secrets.token_hex(16)}"
        if self.services.provider == "azure":
            return {"apim-request-id": request_id, "openai-version": "2020-10-01"}
        return {"X-Request-Id": f"req_{request_id}"}


def model_parameter(request: web.Request) -> dict[str, str]:
    return {"model": request.query["model"]} if "model" in request.query else {}


async def parse_mint_request(request: web.Request) -> dict[str, Any]:
    """The validated body of a request for a key; an empty body is an empty request.

    Raises ApiError 400.
    """
    raw = await request.read()
    try:
        body = parse_json(raw) if raw.strip() else {}
        session_schema.SECRET_REQUEST(body, "")
    except ValueError as error:
        wrong = (
            error
            if isinstance(error, Invalid)
            else Invalid("invalid_json", "Could not parse the body as JSON.", None)
        )
        raise errors.invalid_parameter(wrong) from None
    checked: dict[str, Any] = body
    return checked
