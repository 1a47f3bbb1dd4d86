"""Pools of connections that repeat a request on a fresh one where that is safe, for any session.

What the broker itself sends goes through `send_request`: where a used connection is free and both
the request and its response are plain, neither urllib3 nor http.client has a part in it. Those took
half of the processor time of a `/connect`, in calls and in system calls around which a thread
releases and reacquires the GIL (docs/adr/0021-plain-exchanges-without-http-client.md).
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from shared.core.connections import (
    BoundedConnection,
    BoundedTLSConnection,
    Freshness,
    keepalive_options,
)
from shared.core.exchange import ATTEMPT, Attempt, new_attempt
from shared.core.plain_request import Request, host_header, plain_request
from shared.core.plain_response import PlainResponse

USER_AGENT = f"python-urllib3/{urllib3.__version__}"  # type: ignore[attr-defined]


def send_request(pool: HTTPConnectionPool, request: Request) -> PlainResponse | BaseHTTPResponse:
    """The response to `request`; its body is not yet read unless it is a plain one. Raises as
    urllib3 does."""
    if isinstance(pool, RepeatingPool):
        return pool.exchange(request)
    return send_as_urllib3(pool.urlopen, request)


def send_as_urllib3(urlopen: Callable[..., BaseHTTPResponse], request: Request) -> BaseHTTPResponse:
    """The response that urllib3 reads; what redirects is a response like any other."""
    return urlopen(
        request.method,
        request.target,
        request.body,
        request.headers,
        retries=False,
        redirect=False,
        assert_same_host=False,
        timeout=Timeout(connect=request.connect_timeout, read=request.read_timeout),
        preload_content=False,
    )


def run_attempt(attempt: Attempt, send: Callable[[], Any]) -> Any:
    """What `send` gives, which makes that attempt."""
    token = ATTEMPT.set(attempt)
    try:
        return send()
    finally:
        ATTEMPT.reset(token)


class RepeatingPool(HTTPConnectionPool):
    """Repeats a request once, on a fresh connection, where a used one gave no answer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.freshness = Freshness()
        tls = isinstance(self, HTTPSConnectionPool)
        kind = BoundedTLSConnection if tls else BoundedConnection
        self.ConnectionCls = partial(kind, freshness=self.freshness)  # type: ignore[assignment]
        # A proxy that does more than pass TLS on wants headers of its own.
        passed_on = self.proxy is None or tls
        self.host_header = host_header(self.host, self.port, kind.default_port) if passed_on else ""

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        rereadable = body is None or isinstance(body, bytes | str)
        send = partial(super().urlopen, method, url, body, headers, **options)
        return self.repeat_once(method, send, rereadable=rereadable)

    def exchange(self, request: Request) -> PlainResponse | BaseHTTPResponse:
        """The response to `request`, its body not yet read unless it is a plain one. Raises as
        `urlopen` does."""
        found: PlainResponse | BaseHTTPResponse = self.repeat_once(
            request.method, partial(self.exchange_once, request)
        )
        return found

    def repeat_once(self, method: str, send: Callable[[], Any], *, rereadable: bool = True) -> Any:
        attempt = new_attempt(method)
        try:
            return run_attempt(attempt, send)
        except (ReadTimeoutError, ProtocolError):
            if attempt.is_stale:
                self.freshness.distrust_idle()
            if not attempt.may_be_repeated or not rereadable:
                raise
        return run_attempt(new_attempt(method), send)

    def exchange_once(self, request: Request) -> Any:
        """On a used connection, if there is one and the request is plain; else as urllib3 does."""
        whole = None
        if self.host_header:
            whole = plain_request(request, self.host_header, USER_AGENT)
        connection = self._get_conn()
        # A connection that was dropped is closed by now.
        if whole is None or connection.is_closed or not isinstance(connection, BoundedConnection):
            self._put_conn(connection)
            return send_as_urllib3(super().urlopen, request)
        try:
            response = connection.exchange(whole, request)
        except BaseException as error:
            connection.close()
            self._put_conn(None)
            self.raise_as_urllib3(error, connection.attempt, request)
            raise
        if isinstance(response, PlainResponse):
            self._put_conn(connection)
        else:
            # As urlopen does: the response releases it.
            response._pool, response._connection = self, connection  # type: ignore[attr-defined]
        return response

    def raise_as_urllib3(self, error: BaseException, attempt: Attempt, request: Request) -> None:
        """Raises what `urlopen` makes of an error of a connection."""
        if isinstance(error, TimeoutError) and attempt.sent:
            raise ReadTimeoutError(self, request.target, "Read timed out.") from error
        if isinstance(error, ssl.SSLError):
            raise SSLError(error) from error
        if isinstance(error, OSError | http.client.HTTPException):
            raise ProtocolError("Connection aborted.", error) from error


class RepeatingTLSPool(RepeatingPool, HTTPSConnectionPool):
    """The same, over TLS."""


POOLS = {"http": RepeatingPool, "https": RepeatingTLSPool}


class BoundedAdapter(HTTPAdapter):
    """Gives a session the pools above."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, socket_options=keepalive_options(), **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **options)
        options["socket_options"] = keepalive_options()
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


def bound_session(session: requests.Session, *, connections: int, hosts: int = 4) -> None:
    """Makes everything that `session` sends keep to the terms of its thread. `connections` are
    kept open to each of `hosts`."""
    adapter = BoundedAdapter(pool_connections=hosts, pool_maxsize=connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
