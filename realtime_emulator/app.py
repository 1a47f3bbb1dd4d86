"""The emulator as an aiohttp application."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from realtime_emulator.call.call import Ended
from realtime_emulator.call.registry import CallRegistry
from realtime_emulator.call.services import Services
from realtime_emulator.contract import PREFIX
from realtime_emulator.http.client_secrets import ClientSecrets
from realtime_emulator.http.control import Control
from realtime_emulator.http.endpoint import Endpoint, Handler, plain
from realtime_emulator.http.fault_injection import FaultInjector
from realtime_emulator.http.forgotten import ForgottenConnections
from realtime_emulator.http.request_log import RequestLog
from realtime_emulator.http.rest import Rest
from realtime_emulator.http.sideband import Sideband
from realtime_emulator.live.live_routes import BASE as LIVE_BASE
from realtime_emulator.live.live_routes import add_live_control, add_live_routes
from realtime_emulator.live.media_factory import MediaFactory
from realtime_emulator.live.registry import LiveRegistry
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.script.script import Script
from realtime_emulator.serving.application import make_application
from realtime_emulator.serving.trusted_hosts import TrustedHosts

BASE = {provider: f"{prefix}/realtime" for provider, prefix in PREFIX.items()}
LARGEST_BODY = 2 * 1024 * 1024


def make_app(
    provider: Provider = "azure",
    script: Script | None = None,
    *,
    services: Services | None = None,
    trusted: TrustedHosts | None = None,
    live_media: MediaFactory | None = None,
) -> web.Application:
    """The emulator of one provider. `services` replaces clock, media, voice or recogniser,
    `live_media` the media of GPT-Live sessions.

    It answers to the names of this machine and to `trusted`.
    """
    services = services or Services(provider, script or Script())
    calls, request_log = CallRegistry(services), RequestLog()
    faults, connections = FaultInjector(services), ForgottenConnections()
    sessions = LiveRegistry(services, live_media or MediaFactory())
    rest = Rest(services, calls, ClientSecrets(services.clock), request_log)
    sideband = Sideband(rest, calls)
    app = make_application(
        refuse, trusted=trusted, middlewares=[errors_as_json], client_max_size=LARGEST_BODY
    )

    def wrap(route: str, handler: Handler) -> Handler:
        return Endpoint(route, handler, faults, connections, request_log).handle

    add_realtime_routes(app, rest, sideband, wrap)
    add_live_routes(app, services, sessions, wrap)
    app.router.add_options(f"{LIVE_BASE[services.provider]}/sessions", rest.answer_preflight)
    control = Control(services, calls, faults, connections, request_log, sessions)
    add_control_routes(app, control, sessions, trusted or TrustedHosts())

    async def run(app: web.Application) -> AsyncIterator[None]:  # noqa: ARG001
        warming = asyncio.create_task(services.warm_up())
        yield
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        services.close()

    async def hang_up_all(app: web.Application) -> None:  # noqa: ARG001
        await calls.end_all(Ended(1001, "the emulator is shutting down"))
        await sessions.end_all("the emulator is shutting down")

    app.cleanup_ctx.append(run)
    app.on_shutdown.append(hang_up_all)
    return app


def add_realtime_routes(
    app: web.Application, rest: Rest, sideband: Sideband, wrap: Callable[[str, Handler], Handler]
) -> None:
    """Adds the Realtime API. `wrap` surrounds the handler of one of the script's routes."""
    base = BASE[rest.services.provider]
    handlers: dict[tuple[str, str, str], Handler] = {
        ("client_secrets", "POST", f"{base}/client_secrets"): rest.create_client_secret,
        ("calls", "POST", f"{base}/calls"): rest.start_call,
        ("hangup", "POST", f"{base}/calls/{{call_id}}/hangup"): rest.hang_up,
        ("sideband", "GET", base): sideband.attach,
    }
    for (route, method, path), handler in handlers.items():
        app.router.add_route(method, path, wrap(route, handler))
    app.router.add_options(f"{base}/calls", rest.answer_preflight)
    verbs = "{verb:accept|refer|reject}"
    app.router.add_post(f"{base}/calls/{{call_id}}/{verbs}", plain(rest.refuse_telephony))


def add_control_routes(
    app: web.Application, control: Control, sessions: LiveRegistry, trusted: TrustedHosts
) -> None:
    """Adds `/emulator`, closed to the pages of other origins, which could otherwise control it."""

    def guarded(handler: Handler) -> Handler:
        async def check(request: web.Request) -> web.StreamResponse:
            if not trusted.may_drive(request):
                return refuse(403, "Pages of other origins may not control the emulator.")
            return await handler(request)

        return plain(check)

    app.router.add_get("/emulator", guarded(control.show_state), allow_head=False)
    app.router.add_patch("/emulator", guarded(control.patch_script))
    app.router.add_delete("/emulator", guarded(control.reset))
    app.router.add_get("/emulator/calls/{call_id}/events", guarded(control.show_events))
    app.router.add_post("/emulator/calls/{call_id}/frames", guarded(control.inject_frame))
    add_live_control(app, sessions, guarded)


def refuse(status: int, reason: str) -> web.Response:
    """In the shape of the API's errors, of which it has none for other host names."""
    error = {"code": str(status), "message": reason}
    return web.json_response({"error": error}, status=status)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives 404 and 405 the shape of the API's other errors."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        body = {"error": {"code": str(error.status), "message": "Resource not found"}}
        if error.status != 404:
            body["error"]["message"] = error.reason
        with contextlib.suppress(KeyError):
            del error.headers["Content-Type"]
        return web.Response(
            status=error.status,
            text=json.dumps(body),
            content_type="application/json",
            headers={n: v for n, v in error.headers.items() if n != "Content-Length"},
        )
