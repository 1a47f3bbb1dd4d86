"""HTTP connections that keep to a deadline, and that no middlebox forgets unnoticed.

A socket's own timeout is for the next bytes, so a peer that sends one byte at a time is never cut
off by it. Here every connect, TLS handshake, send and receive gets the time that is left of the
request's deadline (shared/core/exchange.py). How a response is read, and when no other may follow
on its connection, is in shared/core/http_response.py.

Azure's load balancers forget a connection after four idle minutes, usually without a word to either
end. Idle connections are kept known by TCP keepalive and not used once they are `IDLE_AT_MOST` old.
If one gives no answer all the same, the others that are as old are not used any more either, and
the request is repeated on a fresh one where that is safe.

Each request is sent in one write. urllib3 sends head and body separately: two TLS records, two
system calls, and a thread releases and reacquires the GIL twice. Sent in one write, a `/connect`
took a seventh less processor time at 64 callers (docs/performance.md).
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from datetime import timedelta
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from shared.core.exchange import ATTEMPT, Attempt, current_attempt, new_attempt
from shared.core.http_response import FinalResponse
from shared.core.tls_contexts import verifying_context

IDLE_AT_MOST = timedelta(seconds=200)
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES = 60, 15, 4
"""In seconds: a connection that is dead is known to be after two minutes."""
PIECE = 16 * 1024
"""Bytes per write; a TLS record holds no more. An offer fits into one."""


def keepalive_options() -> list[tuple[int, int, int]]:
    """The socket options, as far as this platform has them."""
    found = [
        *HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    # TCP_KEEPALIVE is the name of TCP_KEEPIDLE on macOS.
    for names, value in (
        (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), KEEPALIVE_IDLE),
        (("TCP_KEEPINTVL",), KEEPALIVE_INTERVAL),
        (("TCP_KEEPCNT",), KEEPALIVE_PROBES),
    ):
        option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
        if option is not None:
            found.append((socket.IPPROTO_TCP, option, value))
    return found


class Freshness:
    """Which idle connections of one pool may still be used."""

    def __init__(self) -> None:
        self.stale_before = 0.0

    def distrust_idle(self) -> None:
        """No connection that has been silent until now is used again."""
        self.stale_before = time.monotonic()

    def trusts(self, heard_at: float) -> bool:
        """`heard_at` is when the other end was last heard, on the monotonic clock."""
        age = time.monotonic() - heard_at
        return heard_at > self.stale_before and age < IDLE_AT_MOST.total_seconds()


class BoundedConnection(HTTPConnection):
    """One connection of a pool. Collects what a request sends and sends it at its end."""

    def __init__(self, *arguments: Any, freshness: Freshness, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.freshness = freshness
        self.attempt = current_attempt()
        self.pending: bytearray | None = None
        self.heard_at = 0.0
        self.responses = 0
        self.has_surplus = False

    @property
    def is_connected(self) -> bool:
        """Whether the next request may be sent on it: it is fresh, and nothing has come that would
        be read as the next response."""
        decrypted = self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0
        surplus = self.has_surplus or decrypted
        return not surplus and self.freshness.trusts(self.heard_at) and super().is_connected

    def connect(self) -> None:
        self.attempt = current_attempt()
        super().connect()
        self.responses = 0
        self.has_surplus = False
        self.heard_at = time.monotonic()

    def _new_conn(self) -> socket.socket:
        """As in urllib3, but the timeout is for all addresses together and for the handshake."""
        self.attempt.seconds_left(None)
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        began, failure = time.monotonic(), OSError("the name has no address")
        for family, kind, protocol, _, address in addresses:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self.time_to_connect(began))
                sock.connect(address)
                sock.settimeout(self.time_to_connect(began))
                return sock
            except OSError as error:
                sock.close()
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"connecting to {self.host} took too long")
        raise NewConnectionError(self, f"no connection: {failure}") from failure

    def time_to_connect(self, began: float) -> float | None:
        limit = self.timeout
        if limit is not None:
            limit = limit - (time.monotonic() - began)
            if limit <= 0:
                raise TimeoutError("connecting took too long")
        return self.attempt.seconds_left(limit)

    def request(self, *arguments: Any, **options: Any) -> None:
        """As in urllib3. Raises what sending raises."""
        self.attempt = attempt = current_attempt()
        self.pending = whole = bytearray()
        try:
            super().request(*arguments, **options)
        finally:
            self.pending = None
        if self.sock is None:
            self.connect()
        # What a proxy said while connecting is no answer.
        attempt.reused, attempt.answered, attempt.received = self.responses > 0, False, 0
        # What does not leave in full cannot be acted upon.
        self.send(whole)
        attempt.sent = attempt.terms.progress.sent = True

    def send(self, data: Any) -> None:
        """As in http.client; a CONNECT to a proxy, which comes first, is sent at once."""
        if self.pending is not None:
            self.pending += data
            return
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            self.sock.settimeout(self.attempt.seconds_left(self.timeout))
            super().send(view[start : start + PIECE])

    def response_class(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """The response that http.client reads from `sock`, or a proxy's to a CONNECT."""
        self.responses += 1
        return FinalResponse(self, sock, **options)


class BoundedTLSConnection(BoundedConnection, HTTPSConnection):
    """The same, over TLS, with a context that it shares with others."""

    def connect(self) -> None:
        if self.may_share_context:
            self.ssl_context = verifying_context(self.ca_certs, self.ca_cert_dir)
            # urllib3 would load them again.
            self.ca_certs = self.ca_cert_dir = None
        super().connect()

    @property
    def may_share_context(self) -> bool:
        """Whether nothing is set that would change the context. TLS to a proxy has one of its
        own, from the same files."""
        is_usual = self.ssl_context is None and not self.cert_file
        verifies = self.cert_reqs in ("CERT_REQUIRED", ssl.CERT_REQUIRED)
        through_tls = self.proxy is not None and self.proxy.scheme == "https"
        return is_usual and verifies and not through_tls


class RepeatingPool(HTTPConnectionPool):
    """Repeats a request once, on a fresh connection, where a used one gave no answer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.freshness = Freshness()
        tls = isinstance(self, HTTPSConnectionPool)
        kind = BoundedTLSConnection if tls else BoundedConnection
        self.ConnectionCls = partial(kind, freshness=self.freshness)  # type: ignore[assignment]

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any
    ) -> Any:
        attempt = new_attempt(method)
        try:
            return self.attempt_request(attempt, method, url, body, headers, **options)
        except (ReadTimeoutError, ProtocolError):
            if attempt.is_stale:
                self.freshness.distrust_idle()
            rereadable = body is None or isinstance(body, bytes | str)
            if not attempt.may_be_repeated or not rereadable:
                raise
        return self.attempt_request(new_attempt(method), method, url, body, headers, **options)

    def attempt_request(self, attempt: Attempt, *arguments: Any, **options: Any) -> Any:
        token = ATTEMPT.set(attempt)
        try:
            return super().urlopen(*arguments, **options)
        finally:
            ATTEMPT.reset(token)


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
