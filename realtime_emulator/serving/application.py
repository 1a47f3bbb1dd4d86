"""What all local servers refuse, each in its own dialect, before and after their handlers.

Bodies are handed over as they came: like the Functions host, no server here decodes a
Content-Encoding.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from aiohttp.typedefs import Handler, Middleware

from realtime_emulator.serving.trusted_hosts import REASONS, TrustedHosts

logger = logging.getLogger(__name__)
Refusal = Callable[[int, str], web.Response]
"""The response with a status (400, 421 or 500) and, if the dialect has room for it, a reason."""

REFUSAL: web.AppKey[Refusal] = web.AppKey("refusal", Callable)  # type: ignore[arg-type]
CONNECTION: web.AppKey[type[Connection]] = web.AppKey("connection", type)
MALFORMED = "The request is malformed."


class MalformedBody(Exception):
    """The body broke HTTP's rules after the request was accepted."""


def make_application(
    refuse: Refusal,
    *,
    trusted: TrustedHosts | None = None,
    middlewares: Sequence[Middleware] = (),
    connection: type[Connection] | None = None,
    **options: Any,
) -> web.Application:
    """An application that answers to the names of this machine, and to `trusted`.

    `refuse` words what it refuses: other names, malformed requests and, with 500, the exceptions
    of its handlers. `connection` is a `Connection` with rules of its own.
    """
    app = web.Application(
        middlewares=[guard(trusted or TrustedHosts(), refuse), *middlewares],
        handler_args={"auto_decompress": False},
        **options,
    )
    app[REFUSAL] = refuse
    app[CONNECTION] = connection or Connection
    return app


def guard(trusted: TrustedHosts, refuse: Refusal) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = trusted.refusal_status(request)
        if status is not None:
            return refuse(status, REASONS[status])
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except Exception as error:
            gone = request.transport is None or request.transport.is_closing()
            if gone or request.writer.output_size > 0:  # too late for another response
                raise
            if isinstance(error, MalformedBody):
                request.content.feed_eof()
                response = refuse(400, MALFORMED)
            else:
                logger.exception("%s failed", request.method)
                response = refuse(500, "The server failed; its log has the reason.")
            response.force_close()
            return response

    return check


class Connection(web.RequestHandler):
    """A connection whose malformed requests are refused in the application's dialect."""

    __slots__ = ("refuse",)

    def __init__(self, manager: web.Server, refuse: Refusal, **options: Any) -> None:
        super().__init__(manager, **options)
        self.refuse = refuse

    def data_received(self, data: bytes) -> None:
        """Lets a handler know that the rest of its body is malformed; aiohttp would let it wait."""
        super().data_received(data)
        request = self._current_request
        if request is None or request.content.is_eof() or not self._messages:
            return
        if not isinstance(self._messages[-1][0], RawRequestMessage):
            request.content.set_exception(MalformedBody())

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request, credentials included
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("part of a response is sent already")
        logger.info("refused a malformed request: %s", type(exc).__name__)
        response = self.refuse(status, MALFORMED if status < 500 else "The server failed.")
        response.headers.update(getattr(exc, "headers", None) or {})
        response.force_close()
        return response


class Server(web.Server):
    """Makes a `Connection` of each connection."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self.refuse = app[REFUSAL]
        self.connection = app[CONNECTION]

    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        return self.connection(self, self.refuse, loop=loop, access_log=None, auto_decompress=False)


class Runner(web.AppRunner):
    """Serves what `make_application` made; other applications as an AppRunner does."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(made, self.app) if REFUSAL in self.app else made
