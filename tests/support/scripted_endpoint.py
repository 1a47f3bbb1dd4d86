"""A fake of the model's endpoint over HTTP/1.1 that replies as a script says.

It does what the faithful emulator cannot: reply with anything, misbehave, and cost next to
nothing. It is a bare asyncio protocol, so that the bench can use it too: there it runs over
TLS, at a set latency, in a process of its own (bench/harness/fake_endpoint.py). No WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from http import HTTPStatus
from typing import Any

from realtime_emulator.serving.reset import reset_connection
from tests.support.loop_thread import loop_in_thread

LOCATION = "/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef"
ANSWER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
HEAD_END = b"\r\n\r\n"


class Fault(Enum):
    """Instead of a reply: the connection is reset (RST), closed, or left open and silent."""

    RESET = 1
    STALL = 2
    CLOSE = 3


RESET, STALL, CLOSE = Fault.RESET, Fault.STALL, Fault.CLOSE


@dataclass
class Asked:
    """One request. `path` includes the query; `headers` have lower-case names."""

    path: str
    head: bytes
    body: bytes

    @cached_property
    def headers(self) -> dict[str, str]:
        lines = (line.decode("latin-1").partition(":") for line in self.head.split(b"\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in lines}

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Said:
    """One reply. With a `drip`, its bytes are sent that many seconds apart: those of the body, and
    of the headers too with `drip_headers`. If the connection is then idle for `forget_after`
    seconds, it is forgotten: what comes on it is swallowed or, with RESET, answered with an RST."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip: float | None = None
    drip_headers: bool = True
    forget_after: float | None = None
    forgotten: Fault = Fault.STALL

    def encode(self) -> bytes:
        headers = {**self.headers, "Content-Length": len(self.body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = f"{self.status} {HTTPStatus(self.status).phrase}"
        return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + self.body


@dataclass(frozen=True)
class Raw:
    """Instead of a reply: these bytes as they are; then the connection stays open, unless it
    `closes`. `later` follows `after` seconds later, or before the next reply on the connection if
    that is sooner."""

    content: bytes
    later: bytes = b""
    after: float = 0.1
    closes: bool = False


@dataclass(frozen=True)
class EndlessDrip:
    """`start` at once, then `again` and again, `every` seconds, until the client gives up."""

    start: bytes
    again: bytes = b"a"
    every: float = 0.02


Reply = Said | Fault | Raw | EndlessDrip


def key_reply(value: str = "ek_test_one", expires_at: int = 4_000_000_000) -> Said:
    content = {"value": value, "expires_at": expires_at, "session": {"instructions": "inside"}}
    return Said(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def answer_reply(location: str = LOCATION, sdp: str = ANSWER) -> Said:
    kind = {"Content-Type": "text/plain; charset=utf-8", "Location": location}
    return Said(201, sdp.encode(), kind)


def refusal(status: int, code: str | None = None, message: str = "words of upstream") -> Said:
    return Said(status, json.dumps({"error": {"code": code, "message": message}}).encode())


def take_request(received: bytearray) -> Asked | None:
    """Takes the first request off `received`; None while it is incomplete."""
    end = received.find(HEAD_END)
    if end < 0:
        return None
    head = bytes(received[:end])
    after = end + len(HEAD_END) + content_length(head)
    if len(received) < after:
        return None
    body = bytes(received[end + len(HEAD_END) : after])
    del received[:after]
    return Asked(head.split(b" ", 2)[1].decode("latin-1"), head, body)


def content_length(head: bytes) -> int:
    """The length of a request's body in bytes; 0 if its head names none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class Connection(asyncio.Protocol):
    """One connection to a `Listener`."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.received = bytearray()
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()
        self.last: Said | None = None
        self.idle_since = 0.0
        self.held_back = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.listener.connections.add(self)
        self.listener.accepted += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.listener.connections.discard(self)
        self.closed.set()

    async def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            await self.closed.wait()

    def data_received(self, data: bytes) -> None:
        if self.is_forgotten():
            if self.last is not None and self.last.forgotten is RESET:
                reset_connection(self.transport)
            return
        self.received += data
        while (request := take_request(self.received)) is not None:
            reply = self.listener.reply(request)
            if reply is not STALL:
                loop = asyncio.get_running_loop()
                loop.call_later(self.listener.latency, self.send_reply, reply)

    def is_forgotten(self) -> bool:
        if self.last is None or self.last.forget_after is None:
            return False
        return asyncio.get_running_loop().time() - self.idle_since >= self.last.forget_after

    def send_reply(self, reply: Reply) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self.send_held_back()
        if reply is RESET:
            reset_connection(self.transport)
        elif isinstance(reply, Raw):
            self.transport.write(reply.content)
            if reply.closes:
                self.transport.close()
            self.held_back = reply.later
            asyncio.get_running_loop().call_later(reply.after, self.send_held_back)
        elif isinstance(reply, EndlessDrip):
            self.transport.write(reply.start)
            self.drip_on(reply)
        elif not isinstance(reply, Said):
            self.transport.close()
        elif reply.drip is None:
            self.transport.write(reply.encode())
            self.finish(reply)
        else:
            raw = reply.encode()
            at_once = 0 if reply.drip_headers else len(raw) - len(reply.body)
            self.transport.write(raw[:at_once])
            self.drip_bytes(reply, iter(raw[at_once:]))

    def send_held_back(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(self.held_back)
            self.held_back = b""

    def drip_bytes(self, reply: Said, left: Iterator[int]) -> None:
        byte = next(left, None)
        if self.transport is None or self.transport.is_closing():
            return
        if byte is None:
            self.finish(reply)
            return
        self.transport.write(bytes([byte]))
        asyncio.get_running_loop().call_later(reply.drip or 0, self.drip_bytes, reply, left)

    def drip_on(self, reply: EndlessDrip) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(reply.again)
            asyncio.get_running_loop().call_later(reply.every, self.drip_on, reply)

    def finish(self, reply: Said) -> None:
        self.last, self.idle_since = reply, asyncio.get_running_loop().time()


class Listener:
    """Accepts connections and passes each request to `reply`, whose reply goes out after `latency`
    seconds."""

    def __init__(self, reply: Callable[[Asked], Reply], latency: float = 0.0) -> None:
        self.reply = reply
        self.latency = latency
        self.connections: set[Connection] = set()
        self.accepted = 0

    async def listen(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> str:
        """Listens on a free port; returns the URL."""
        self.server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), address, 0, ssl=tls, backlog=2048
        )
        scheme = "https" if tls else "http"
        return f"{scheme}://{address}:{self.server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self.server.close()
        await asyncio.gather(*(connection.abort() for connection in list(self.connections)))


class Upstream:
    """`script[path]` lists the replies, or what makes them; the last one repeats. `asked` has the
    requests."""

    def __init__(self) -> None:
        self.script: dict[str, list[Reply | Callable[[], Reply]]] = {}
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.listener = Listener(self.reply)
        self.url = ""

    @property
    def connections(self) -> int:
        """How many have been accepted so far."""
        return self.listener.accepted

    def on(self, path: str, *said: Any) -> None:
        with self.lock:
            self.script[path] = list(said)

    def count(self, path: str) -> int:
        return sum(asked.path.partition("?")[0] == path for asked in self.asked)

    def reply(self, request: Asked) -> Reply:
        self.asked.append(request)
        with self.lock:
            said = self.script.get(request.path.partition("?")[0], [Said(404)])
            now = said.pop(0) if len(said) > 1 else said[0]
        return now() if callable(now) else now


@contextmanager
def upstream() -> Iterator[Upstream]:
    """An endpoint on a free port, in its own thread."""
    script = Upstream()
    with loop_in_thread() as run:
        script.url = run(script.listener.listen())
        try:
            yield script
        finally:
            run(script.listener.close())
