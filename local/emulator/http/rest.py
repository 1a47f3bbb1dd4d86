"""The REST routes: mint a key, start a call, hang up."""

import json
import secrets
from datetime import timedelta
from typing import Any

from aiohttp import web

from local.emulator.call.call import Ended
from local.emulator.call.registry import CallRegistry
from local.emulator.call.services import Services
from local.emulator.http import client_secrets, offer_body
from local.emulator.http.client_secrets import ClientSecrets
from local.emulator.http.fault_injection import Faults
from local.emulator.http.request_log import RequestLog
from local.emulator.protocol import errors, schema, session
from local.emulator.protocol.validators import Invalid, missing

DEFAULT_MODEL = "gpt-realtime"
DEFAULT_LIFE = {"azure": timedelta(seconds=7200), "openai": timedelta(seconds=600)}
SAFE_HEADERS = "authorization, content-type, x-openai-agents-sdk"
OPEN_TO_PAGES = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location,X-Request-Id",
    "Timing-Allow-Origin": "*",
}


def bearer(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


class Rest:
    """Handlers for what a broker, or a page, asks over HTTP."""

    def __init__(
        self,
        services: Services,
        calls: CallRegistry,
        keys: ClientSecrets,
        faults: Faults,
        records: RequestLog,
    ) -> None:
        self.services, self.calls, self.keys = services, calls, keys
        self.faults, self.records = faults, records

    def standard_credential(self, request: web.Request) -> None:
        """A resource's or project's key, or an Entra token (which is not looked into).

        Raises:
            Refused: 401.
        """
        self.general_availability(request)
        given = bearer(request)
        if self.services.provider == "azure":
            given = request.headers.get("api-key", given)
        if not self.services.script.accepts(given):
            raise errors.unauthorized(self.services.provider)

    def general_availability(self, request: web.Request) -> None:
        provider = self.services.provider
        if "api-version" in request.query:
            raise errors.preview_style(provider, "api-version")
        if "OpenAI-Beta" in request.headers:
            raise errors.preview_style(provider, "OpenAI-Beta header")

    async def client_secrets(self, request: web.Request) -> web.Response:
        """`POST /realtime/client_secrets`."""
        self.records.asked("client_secrets", request)
        await self.faults.strike("client_secrets", request)
        self.standard_credential(request)
        body = await json_body(request)
        self.records.expires_after = body.get("expires_after")
        config = self.session_of(body.get("session"))
        life = DEFAULT_LIFE[self.services.provider]
        if (body.get("expires_after") or {}).get("seconds"):
            life = timedelta(seconds=body["expires_after"]["seconds"])
        key = self.keys.mint(config, min(life, self.services.script.time("key_seconds_max")))
        self.records.minted += 1
        reply = {"value": key.value, "expires_at": int(key.expires_at), "session": config}
        return web.json_response(reply, headers=self.marks())

    def session_of(self, wanted: dict[str, Any] | None) -> session.Config:
        """The full session of a checked request.

        Raises:
            Refused: no model where one is needed, or none that talks.
        """
        provider, script = self.services.provider, self.services.script
        if provider == "azure" and (wanted is None or "model" not in wanted):
            raise errors.invalid(missing("session.type" if wanted is None else "session.model"))
        wanted = {"type": "realtime", "model": DEFAULT_MODEL, **(wanted or {})}
        model = wanted["model"]
        if any(script.deployed(kind, model) for kind in ("transcription", "other")):
            raise errors.not_realtime(provider)
        if not script.deployed("realtime", model):
            raise errors.no_deployment(provider, model)
        return session.create(wanted)

    async def start_call(self, request: web.Request) -> web.Response:
        """`POST /realtime/calls`. Who is asking is looked at before what."""
        self.records.asked("calls", request)
        await self.faults.strike("calls", request)
        self.general_availability(request)
        config = self.session_of_key(request)
        body = await request.read()
        if config is None and request.content_type == "multipart/form-data":
            offer, wanted = offer_body.form(body, request.headers["Content-Type"])
            config = self.session_of(wanted)
        elif config is None:
            offer = offer_body.raw(body)
            config = self.session_of({"type": "realtime", **dict(one_model(request))})
        elif self.services.provider == "openai" and request.content_type == "multipart/form-data":
            offer, wanted = offer_body.form(body, request.headers["Content-Type"])
            config = session.merged(config, wanted or {})
        else:
            offer = offer_body.raw(body)
        filtered = request.query.get("webrtcfilter") == "on"
        try:
            call, answer = await self.calls.start(offer, config, filtered=filtered)
        except ValueError as error:
            why = str(error).removeprefix("Failed to parse offer: ")
            raise errors.invalid_offer(why) from None
        return web.Response(
            status=201,
            text=answer,
            content_type="text/plain",
            charset="utf-8",
            headers={"Location": f"/v1/realtime/calls/{call.id}", **self.marks()},
        )

    def session_of_key(self, request: web.Request) -> session.Config | None:
        """The session that comes with an ephemeral key; None for a standard key (OpenAI only).

        Raises:
            Refused: 401.
        """
        provider, given = self.services.provider, bearer(request)
        if not given.startswith(client_secrets.PREFIX):
            if provider == "azure":
                raise errors.not_ephemeral(provider)
            if not self.services.script.accepts(given):
                raise errors.unauthorized(provider)
            return None
        try:
            return self.keys.find(given).session
        except client_secrets.KeyExpired:
            raise errors.key_expired() from None
        except client_secrets.KeyUnknown:
            raise errors.key_unknown() from None

    async def preflight(self, request: web.Request) -> web.Response:
        """`OPTIONS /realtime/calls`: OpenAI refuses request headers that it does not know."""
        wanted = request.headers.get("Access-Control-Request-Headers", "").lower()
        allowed = SAFE_HEADERS
        strangers = {n.strip() for n in wanted.split(",") if n.strip()} - set(allowed.split(", "))
        if strangers and self.services.provider == "openai":
            return web.Response(status=400, text="Disallowed CORS headers")
        if self.services.provider == "azure" and wanted:
            allowed = wanted
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
        self.records.asked("hangup", request)
        await self.faults.strike("hangup", request)
        self.standard_credential(request)
        self.calls.find(request.match_info["call_id"]).end(Ended(1000, "hung up over REST"))
        return web.Response(status=200, headers=self.marks())

    async def telephone_only(self, request: web.Request) -> web.Response:
        """`accept`, `refer` and `reject` are for SIP; a WebRTC call is none of theirs."""
        self.standard_credential(request)
        raise errors.no_call()

    def marks(self) -> dict[str, str]:
        """Headers that the live service adds to its answers."""
        request_id = f"{secrets.token_hex(16)}"
        if self.services.provider == "azure":
            return {"apim-request-id": request_id, "openai-version": "2020-10-01"}
        return {"X-Request-Id": f"req_{request_id}"}


def one_model(request: web.Request) -> dict[str, str]:
    return {"model": request.query["model"]} if "model" in request.query else {}


async def json_body(request: web.Request) -> dict[str, Any]:
    """The checked body of a mint request; an empty one asks for nothing.

    Raises:
        Refused: 400.
    """
    raw = await request.read()
    try:
        body = json.loads(raw) if raw.strip() else {}
        schema.SECRET_REQUEST(body, "")
    except ValueError as error:
        wrong = (
            error
            if isinstance(error, Invalid)
            else Invalid("invalid_json", "Could not parse the body as JSON.", None)
        )
        raise errors.invalid(wrong) from None
    checked: dict[str, Any] = body
    return checked
