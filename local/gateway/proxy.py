"""Forwards requests to the function app, as Static Web Apps does to a linked backend."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from aiohttp import (
    ClientConnectionError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    web,
)
from multidict import CIMultiDict
from yarl import URL

from local.gateway.auth import Principal
from realtime_emulator.serving import server

logger = logging.getLogger(__name__)
PRINCIPAL = "X-MS-CLIENT-PRINCIPAL"
LIMIT = timedelta(seconds=45)
CONNECT = timedelta(seconds=5)
# RFC 9110 §7.6.1, and others that are hop-by-hop in practice.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# The gateway sets these itself, and answers Expect.
NOT_FORWARDED = frozenset(
    {"expect", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-ms-original-url"}
)
# aiohttp would add its own; only the client's are forwarded.
AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Authorization(StrEnum):
    """What happens to a request's Authorization header on its way to the API.

    Static Web Apps replaces it with a token of its own (static-web-apps#34, #158, #275). `REPLACE`
    does so for signed-in users, `ALWAYS` for everyone. `PASS` never does, like the Static Web Apps
    CLI.
    """

    REPLACE = "replace"
    ALWAYS = "always"
    PASS = "pass"  # noqa: S105 - not a password


class ApiProxy:
    """Forwards requests to the API. `base` is the API's URL, without a path."""

    def __init__(
        self,
        base: str,
        *,
        authorization: Authorization = Authorization.REPLACE,
        limit: timedelta = LIMIT,
    ) -> None:
        self.base = base.rstrip("/")
        self.authorization = authorization
        self.limit = limit
        self.session: ClientSession | None = None

    async def open(self) -> None:
        """Must run before the first request, on the event loop that serves them."""
        self.session = ClientSession(
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=None, connect=CONNECT.total_seconds()),
            auto_decompress=False,
            skip_auto_headers=AUTOMATIC,
        )

    async def close(self) -> None:
        if self.session:
            await self.session.close()

    async def forward(
        self, request: web.Request, path: str, user: Principal | None
    ) -> web.StreamResponse:
        """Sends `request` to `path` (which includes the query) and streams the response back.

        Bodies are passed on unchanged. 502 if the API cannot be reached; 500 "Backend call failure"
        after 45 s, as in the real service (static-web-apps#801).
        """
        assert self.session is not None
        loop = asyncio.get_running_loop()
        started = loop.time()
        passing: web.StreamResponse | None = None
        try:
            async with (
                asyncio.timeout(self.limit.total_seconds()),
                self.session.request(
                    request.method,
                    URL(self.base + path, encoded=True),
                    headers=self.request_headers(request, user),
                    data=request.content if request.body_exists else None,
                    allow_redirects=False,
                ) as answer,
            ):
                passing = self.start_response(request, answer)
                await passing.prepare(request)
                if request.method != "HEAD":
                    async for chunk in answer.content.iter_any():
                        await passing.write(chunk)
                await passing.write_eof()
        except (ClientError, TimeoutError) as error:
            if passing is None or not passing.prepared:
                malformed = request.content.exception() is not None
                passing = malformed_response() if malformed else failure_response(error)
            elif request.transport:
                # Part of the response is sent: only a broken connection shows it is incomplete.
                request.transport.abort()
        took = (loop.time() - started) * 1000
        shown = server.redact_path(path.partition("?")[0])
        logger.info("%s %s %d (%.0f ms)", request.method, shown, passing.status, took)
        return passing

    def request_headers(self, request: web.Request, user: Principal | None) -> CIMultiDict[str]:
        dropped = hop_by_hop_names(request.headers.get("Connection", "")) | NOT_FORWARDED
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in request.headers.items():
            lower = name.lower()
            if lower not in dropped and not lower.startswith(PRINCIPAL.lower()):
                headers.add(name, value)
        headers["X-Forwarded-For"] = request.remote or ""
        headers["X-Forwarded-Host"] = request.host
        headers["X-Forwarded-Proto"] = request.scheme
        headers["X-MS-Original-URL"] = f"{request.scheme}://{request.host}{request.raw_path}"
        if user:
            headers[PRINCIPAL] = user.to_base64()
        if self.authorization is Authorization.ALWAYS or (
            self.authorization is Authorization.REPLACE and user
        ):
            token = user.to_base64() if user else "local"
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def start_response(self, request: web.Request, answer: ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        dropped = hop_by_hop_names(answer.headers.get("Connection", ""))
        for name, value in answer.headers.items():
            if name.lower() not in dropped:
                response.headers.add(name, value)
        if "Location" in answer.headers:
            response.headers["Location"] = self.external_location(
                answer.headers["Location"], request
            )
        return response

    def external_location(self, location: str, request: web.Request) -> str:
        """Replaces the API's own address in a Location with the gateway's."""
        if urlsplit(location).netloc != urlsplit(self.base).netloc:
            return location
        return f"{request.scheme}://{request.host}" + location.removeprefix(self.base)


def hop_by_hop_names(header: str) -> frozenset[str]:
    return HOP_BY_HOP | {name.strip().lower() for name in header.split(",")}


def malformed_response() -> web.Response:
    response = web.Response(status=400, text="The request is malformed.\n")
    response.force_close()
    return response


def failure_response(error: Exception) -> web.Response:
    if isinstance(error, ClientConnectionError):
        text = "The API cannot be reached. Is the function host running?\n"
        return web.Response(status=502, text=text)
    if isinstance(error, TimeoutError):
        return web.Response(status=500, text="Backend call failure")
    return web.Response(status=502, text="The API sent an invalid HTTP response.\n")
