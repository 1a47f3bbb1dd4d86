"""A server in the broker's place that answers as no broker does: bytes, whatever they are."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

END_OF_HEAD = b"\r\n\r\n"
Answering = Callable[[], Iterable[bytes]]


@dataclass
class Rogue:
    """Sends what `answering` yields to each request, and keeps the connection unless that is
    nothing or ends with b"". `requests` are the heads that came."""

    answering: Answering
    listener: socket.socket
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while head := request_head(connection):
                self.requests.append(head)
                part = b""
                for part in self.answering():
                    connection.sendall(part)
                if not part:
                    return


def request_head(connection: socket.socket) -> str:
    """Reads a request; gives its head, "" if none comes."""
    came = b""
    while END_OF_HEAD not in came:
        part = connection.recv(65536)
        if not part:
            return ""
        came += part
    head, _, body = came.partition(END_OF_HEAD)
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        missing -= len(connection.recv(65536)) or missing
    return head.decode()


@contextmanager
def running_rogue(answering: Answering) -> Iterator[Rogue]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        rogue = Rogue(answering, listener)
        threading.Thread(target=rogue.accept, daemon=True).start()
        try:
            yield rogue
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def response(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + END_OF_HEAD + body


def dripping(begin: bytes, part: bytes) -> Answering:
    """Begins an answer, and sends a part of it ten times a second, for a minute."""

    def answering() -> Iterator[bytes]:
        yield begin
        for _ in range(600):
            time.sleep(0.1)
            yield part

    return answering
