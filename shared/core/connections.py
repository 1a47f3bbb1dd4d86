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
from contextlib import suppress
from datetime import timedelta
from typing import Any

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_read

from shared.core.exchange import current_attempt
from shared.core.http_response import FinalResponse, count_received, time_to_read, wait_at_most
from shared.core.plain_request import Request
from shared.core.plain_response import PlainResponse, read_plain
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
        self.received = b""
        self.heard_at = 0.0
        self.responses = 0
        self.has_surplus = False
        self.is_drained = False  # known to be: asking TLS releases the GIL

    @property
    def is_connected(self) -> bool:
        """Whether the next request may be sent on it: it is fresh, and nothing has come that would
        be read as the next response."""
        surplus = self.has_surplus or self.has_decrypted
        return not surplus and self.freshness.trusts(self.heard_at) and super().is_connected

    @property
    def has_decrypted(self) -> bool:
        """Whether the TLS library has more of a record than was read."""
        if self.is_drained or not isinstance(self.sock, ssl.SSLSocket):
            return False
        return self.sock.pending() > 0

    def connect(self) -> None:
        self.attempt = current_attempt()
        super().connect()
        self.is_drained = False
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
        # http.client may leave part of a record in the TLS library.
        self.is_drained = False
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
        view = memoryview(self.send_at_once(data) if self.responses else data)
        for start in range(0, len(view), PIECE):
            wait_at_most(self.sock, self.attempt.seconds_left(self.timeout))
            super().send(view[start : start + PIECE])

    def exchange(self, whole: bytes, request: Request) -> PlainResponse | BaseHTTPResponse:
        """The response to `request`, whose bytes are `whole`, on a connection that has had one
        before. Raises what sending and receiving raise."""
        self.attempt = attempt = current_attempt()
        attempt.reused, self.timeout = True, request.read_timeout
        # As urllib3 does: who closes a connection may have answered first.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send(whole)
            attempt.sent = attempt.terms.progress.sent = True
        received = self.receive()
        # TLS gives one record at a time, and as much of it as is asked for.
        self.is_drained = len(received) < PIECE
        if received:
            count_received(self, attempt, len(received))
            if (plain := read_plain(received)) is not None:
                self.responses += 1
                return plain
        self.is_drained = False
        # http.client reads a response only after a request.
        self.pending, self.received = bytearray(), received
        super().request(
            request.method, request.target, request.body, request.headers, preload_content=False
        )
        self.pending = None
        return self.getresponse()

    def send_at_once(self, data: bytes) -> bytes:
        """Sends what the socket takes without waiting, on a used connection; gives the rest.

        With a timeout, it would first be asked whether it can be written to."""
        if len(data) > PIECE:
            return data
        self.attempt.seconds_left(None)
        wait_at_most(self.sock, 0)
        with suppress(BlockingIOError, ssl.SSLWantWriteError):
            return data[self.sock.send(data) :]
        return data

    def receive(self) -> bytes:
        """The first bytes of a response; none at the end of the connection. Raises TimeoutError."""
        wait = time_to_read(self.attempt, self.timeout)
        # TLS tries to read first, and the GIL is released for that too.
        if not wait_for_read(self.sock, wait):
            raise TimeoutError("no answer in time")
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            wait_at_most(self.sock, 0)
            return self.sock.recv(PIECE)
        wait_at_most(self.sock, time_to_read(self.attempt, self.timeout))
        return self.sock.recv(PIECE)

    def response_class(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """The response that http.client reads from `sock`, or a proxy's to a CONNECT."""
        self.responses += 1
        received, self.received = self.received, b""
        return FinalResponse(self, sock, received, **options)


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
