"""The emulator as an aiohttp application."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from local.emulator.call.call import Ended
from local.emulator.call.registry import CallRegistry
from local.emulator.call.services import Services
from local.emulator.http.client_secrets import ClientSecrets
from local.emulator.http.control import Control
from local.emulator.http.fault_injection import Faults, Reset
from local.emulator.http.request_log import RequestLog
from local.emulator.http.rest import OPEN_TO_PAGES, Rest
from local.emulator.http.sideband import Sideband
from local.emulator.protocol import errors
from local.emulator.protocol.ids import Provider
from local.emulator.script.script import Script

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
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
    calls, records = CallRegistry(services), RequestLog()
    keys, faults = ClientSecrets(services.clock), Faults(services)
    rest = Rest(services, calls, keys, faults, records)
    sideband = Sideband(rest, calls, faults, records)
    control = Control(services, calls, faults, records)
    base = BASE[services.provider]
    routes: dict[tuple[str, str], tuple[str | None, Handler]] = {
        ("POST", f"{base}/client_secrets"): ("client_secrets", rest.client_secrets),
        ("POST", f"{base}/calls"): ("calls", rest.start_call),
        ("OPTIONS", f"{base}/calls"): (None, rest.preflight),
        ("POST", f"{base}/calls/{{call_id}}/hangup"): ("hangup", rest.hang_up),
        ("POST", f"{base}/calls/{{call_id}}/{{verb:accept|refer|reject}}"): (
            None,
            rest.telephone_only,
        ),
        ("GET", base): ("sideband", sideband.attach),
        ("GET", "/emulator"): (None, control.show),
        ("PATCH", "/emulator"): (None, control.change),
        ("DELETE", "/emulator"): (None, control.reset),
    }
    app = web.Application(middlewares=[speak_json], client_max_size=LARGEST_BODY)
    for (method, path), (route, handler) in routes.items():
        app.router.add_route(method, path, counted(handler, route, records))

    async def run(app: web.Application) -> AsyncIterator[None]:  # noqa: ARG001
        warming = asyncio.create_task(services.warm())
        yield
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        services.close()

    async def hang_up_all(app: web.Application) -> None:  # noqa: ARG001
        await calls.end_all(Ended(1001, "the emulator is shutting down"))

    app.cleanup_ctx.append(run)
    app.on_shutdown.append(hang_up_all)
    return app


def counted(handler: Handler, route: str | None, records: RequestLog) -> Handler:
    """The handler; refusals become answers, and answers to a `route` are counted."""

    async def handle(request: web.Request) -> web.StreamResponse:
        status: int | str = 500
        try:
            answer = await handler(request)
            status = answer.status
        except errors.ApiError as refused:
            status = refused.status
            answer = web.json_response(refused.body, status=refused.status, headers=refused.headers)
        except Reset:
            status = "reset"
            answer = web.Response(status=500)
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            if route:
                records.answered(route, status)
        if route == "calls":
            answer.headers.update(OPEN_TO_PAGES)
        return answer

    return handle


@web.middleware
async def speak_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """404 and 405 in the shape of every other refusal."""
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
