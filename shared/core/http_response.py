"""Reads one response from a pooled connection, and tells whether another may follow on it.

HTTP/1.1 has nothing that says which request a response answers: whatever comes next on a connection
is taken for the next one's. So a connection is used again only if its last response was read to an
end that is beyond doubt; otherwise the next caller would get the answer to somebody else's request,
and everybody after that the one before theirs.
"""

from __future__ import annotations

import http
import http.client
import io
import socket
import time
from typing import Any, Protocol

from shared.core.exchange import Attempt

INTERIM_AT_MOST = 20
"""So many interim responses (1xx) are read past; a browser's limit is about the same."""


class Source(Protocol):
    """The connection that a response is read from."""

    attempt: Attempt
    timeout: float | None
    heard_at: float
    has_surplus: bool


def wait_at_most(sock: socket.socket, seconds: float | None) -> None:
    """Sets the timeout of `sock` where it has another one: that is a system call, and a thread
    releases and reacquires the GIL around it."""
    if sock.gettimeout() != seconds:
        sock.settimeout(seconds)


def time_to_read(attempt: Attempt, patience: float | None) -> float | None:
    """The time for a response's next bytes. Raises TimeoutError at the deadline."""
    if attempt.is_stale and attempt.may_arrive_twice and patience is not None:
        # The other half is for a fresh connection.
        patience /= 2
    return attempt.seconds_left(patience)


def count_received(connection: Source, attempt: Attempt, count: int) -> None:
    """Notes that `count` bytes of a response have come. Raises OSError beyond its size."""
    attempt.answered = True
    attempt.received += count
    connection.heard_at = time.monotonic()
    most = attempt.terms.most_bytes
    if most is not None and attempt.received > most:
        raise OSError("the response is too large")


class BoundedReader(io.RawIOBase):
    """Reads a response from `raw`, within the time and size of its attempt. `received` has been
    read of it before."""

    def __init__(
        self, connection: Source, sock: socket.socket, raw: io.RawIOBase, received: bytes = b""
    ) -> None:
        self.connection = connection
        self.attempt = connection.attempt
        self.sock = sock
        self.raw = raw
        self.received = received
        self.patience: float | None = connection.timeout
        self.ended = False

    def fileno(self) -> int:
        return self.raw.fileno()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """As for any raw stream. Raises TimeoutError at the deadline, OSError beyond the size."""
        if self.ended:
            return 0
        if self.received:
            count = min(len(buffer), len(self.received))
            buffer[:count], self.received = self.received[:count], self.received[count:]
            return count
        wait_at_most(self.sock, time_to_read(self.attempt, self.patience))
        read = self.raw.readinto(buffer)
        if read:
            count_received(self.connection, self.attempt, read)
        return read

    def close(self) -> None:
        if not self.closed:
            self.raw.close()
            super().close()


class ResponseBuffer(io.BufferedReader):
    """The bytes of one response. What is left in it at the response's end is another response."""

    def __init__(self, reader: BoundedReader) -> None:
        super().__init__(reader)
        self.reader = reader

    def close(self) -> None:
        if not self.closed:
            self.reader.ended = True
            if self.peek() or self.reader.received:
                self.reader.connection.has_surplus = True
            super().close()


class FinalResponse(http.client.HTTPResponse):
    """The final response to a request. http.client takes every 1xx but 100 for it."""

    def __init__(
        self, connection: Source, sock: socket.socket, received: bytes = b"", **options: Any
    ) -> None:
        super().__init__(sock, **options)
        self.answers_head = options.get("method") == "HEAD"
        raw = self.fp.detach()
        self.fp = ResponseBuffer(BoundedReader(connection, sock, raw, received))

    def begin(self) -> None:
        """Reads the head. Raises HTTPException if there is none of a final response."""
        for _ in range(INTERIM_AT_MOST):
            super().begin()
            if self.status >= 200:
                # Whoever announces a body that there cannot be may send it all the same.
                self.will_close = self.will_close or self.announces_more
                return
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
        raise http.client.HTTPException("no final response")

    @property
    def announces_more(self) -> bool:
        """Whether it has a body by its headers and none by its status. A 2xx to HEAD may; a 304
        answers no request of ours."""
        if self.length != 0 or (self.answers_head and self.status < 300):
            return False
        length = self.headers.get("Content-Length", "0").strip()
        odd = self.status == http.HTTPStatus.NOT_MODIFIED or "Transfer-Encoding" in self.headers
        return odd or length != "0"
