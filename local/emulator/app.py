"""The emulator as an aiohttp application."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from aiohttp import web

from local.emulator.call.call import Ended
from local.emulator.call.registry import CallRegistry
from local.emulator.call.services import Services
from local.emulator.http.client_secrets import ClientSecrets
from local.emulator.http.control import Control
from local.emulator.http.endpoint import Endpoint, Handler, plain
from local.emulator.http.fault_injection import FaultInjector
from local.emulator.http.forgotten import ForgottenConnections
from local.emulator.http.request_log import RequestLog
from local.emulator.http.rest import Rest
from local.emulator.http.sideband import Sideband
from local.emulator.protocol.ids import Provider
from local.emulator.script.script import Script

BASE = {"azure": "/openai/v1/realtime", "openai": "/v1/realtime"}
LARGEST_BODY = 2 * 1024 * 1024


def make_app(
    provider: Provider = "azure",
    script: Script | None = None,
    *,
    services: Services | None = None,
) -> web.Application:
    """The emulator of one provider. `services` replaces clock, media, voice or recogniser."""
    services = services or Services(provider, script or Script())
    calls, request_log = CallRegistry(services), RequestLog()
    faults, connections = FaultInjector(services), ForgottenConnections()
    rest = Rest(services, calls, ClientSecrets(services.clock), request_log)
    sideband = Sideband(rest, calls)
    control = Control(services, calls, faults, connections, request_log)
    base = BASE[services.provider]
    routes: dict[tuple[str, str], tuple[str | None, Handler]] = {
        ("POST", f"{base}/client_secrets"): ("client_secrets", rest.create_client_secret),
        ("POST", f"{base}/calls"): ("calls", rest.start_call),
        ("OPTIONS", f"{base}/calls"): (None, rest.answer_preflight),
        ("POST", f"{base}/calls/{{call_id}}/hangup"): ("hangup", rest.hang_up),
        ("POST", f"{base}/calls/{{call_id}}/{{verb:accept|refer|reject}}"): (
            None,
            rest.refuse_telephony,
        ),
        ("GET", base): ("sideband", sideband.attach),
        ("GET", "/emulator"): (None, control.show_state),
        ("PATCH", "/emulator"): (None, control.patch_script),
        ("DELETE", "/emulator"): (None, control.reset),
        ("POST", "/emulator/calls/{call_id}/frames"): (None, control.inject_frame),
    }
    app = web.Application(middlewares=[errors_as_json], client_max_size=LARGEST_BODY)
    for (method, path), (route, handler) in routes.items():
        if route is None:
            handle = plain(handler)
        else:
            handle = Endpoint(route, handler, faults, connections, request_log).handle
        app.router.add_route(method, path, handle)

    async def run(app: web.Application) -> AsyncIterator[None]:  # noqa: ARG001
        warming = asyncio.create_task(services.warm_up())
        yield
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        services.close()

    async def hang_up_all(app: web.Application) -> None:  # noqa: ARG001
        await calls.end_all(Ended(1001, "the emulator is shutting down"))

    app.cleanup_ctx.append(run)
    app.on_shutdown.append(hang_up_all)
    return app


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
