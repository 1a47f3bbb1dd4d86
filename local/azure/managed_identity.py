"""A local stand-in for the managed identity endpoint of Azure Functions.

    python -m local.azure.managed_identity [--port 8446]

`azure-identity` finds it through IDENTITY_ENDPOINT and IDENTITY_HEADER and sends
`GET ?api-version=2019-08-01&resource=…` with the latter in X-IDENTITY-HEADER (App Service
documentation, "REST endpoint reference"). The tokens are readable and unsigned, so only other local
stand-ins accept them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from realtime_emulator.serving import server
from realtime_emulator.serving.application import make_application
from realtime_emulator.serving.trusted_hosts import TrustedHosts

logger = logging.getLogger(__name__)
DEFAULT_PORT = 8446
IDENTITY_PATH = "/msi/token"
API_VERSION = "2019-08-01"
LIFE = timedelta(hours=24)
TENANT = "00000000-0000-0000-0000-00000000c0de"
PRINCIPAL = "00000000-0000-0000-0000-0000000000f1"
HEADER_SETTING = "IDENTITY_HEADER"


def make_token(resource: str, expires_at: int) -> str:
    """An unsigned token in the form of an Entra access token.

    `expires_at` is in seconds since 1970; `resource` becomes the audience.
    """

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {
        "aud": resource,
        "exp": expires_at,
        "oid": PRINCIPAL,
        "tid": TENANT,
        "nonce": secrets.token_hex(8),
    }
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def make_app(
    header: str,
    *,
    life: timedelta = LIFE,
    clock: Callable[[], float] = time.time,
    trusted: TrustedHosts | None = None,
) -> web.Application:
    """The endpoint as an aiohttp application. `header` is the required X-IDENTITY-HEADER."""

    async def token(request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not secrets.compare_digest(given.encode(), header.encode()):
            return error_response(401, "X-IDENTITY-HEADER does not match IDENTITY_HEADER.")
        if request.query.get("api-version") != API_VERSION:
            return error_response(400, f"api-version must be {API_VERSION}.")
        resource = request.query.get("resource", "")
        if not resource:
            return error_response(400, "resource is missing.")
        expires_at = int(clock() + life.total_seconds())
        logger.info("issued a token for %s", resource)
        return web.json_response(
            {
                "access_token": make_token(resource, expires_at),
                "expires_on": str(expires_at),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", PRINCIPAL),
            },
            headers={"Cache-Control": "no-store"},
        )

    app = make_application(error_response, trusted=trusted)
    app.router.add_get(IDENTITY_PATH, token)
    return app


def error_response(status: int, message: str) -> web.Response:
    return web.json_response({"statusCode": status, "message": message}, status=status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.azure.managed_identity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"{HEADER_SETTING} in the environment is the required header value.",
    )
    server.add_arguments(parser, port=DEFAULT_PORT)
    options = parser.parse_args(arguments)
    server.log_to_stderr(options.log)
    header = os.environ.get(HEADER_SETTING, "")
    if not header:
        return server.refuse("identity", f"{HEADER_SETTING} is not set; set it to any text.")
    app = make_app(header, trusted=server.trusted_hosts(options))
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(server.serve("identity", app, options))
    return 0


if __name__ == "__main__":
    server.finish(main(sys.argv[1:]))
