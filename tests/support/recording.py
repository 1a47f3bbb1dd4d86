"""An API that echoes each request, to compare gateways."""

from __future__ import annotations

from aiohttp import web


async def echo(request: web.Request) -> web.Response:
    """Echoes the body; the rest of the request is in X-Seen-… headers."""
    body = await request.read()
    status = int(request.query.get("status", "200"))
    headers = {
        "X-Seen-Method": request.method,
        "X-Seen-Path": request.raw_path,
        "X-Seen-Type": request.headers.get("Content-Type", ""),
        "X-Seen-Principal": request.headers.get("X-MS-CLIENT-PRINCIPAL", ""),
        "X-Seen-Principal-Name": request.headers.get("X-MS-CLIENT-PRINCIPAL-NAME", ""),
        "X-Seen-Authorization": request.headers.get("Authorization", ""),
        "X-Seen-Original": request.headers.get("X-MS-Original-URL", ""),
        "X-Seen-Host": request.headers.get("Host", ""),
        "X-Seen-Forwarded": request.headers.get("X-Forwarded-Host", ""),
        "X-Seen-Hop": request.headers.get("X-Hop", "") + request.headers.get("TE", ""),
        "Location": "calls/abc",
        "Cache-Control": "no-store",
    }
    response = web.Response(status=status, body=body or None, headers=headers)
    response.headers["Content-Type"] = request.headers.get("Content-Type", "text/plain")
    return response


def make_app() -> web.Application:
    app = web.Application(client_max_size=0)
    app.router.add_get("/admin/functions", listed)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


async def listed(_: web.Request) -> web.Response:
    return web.json_response([])
