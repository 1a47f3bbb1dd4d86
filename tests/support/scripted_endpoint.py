"""A scripted model's endpoint over real HTTP, for tests of the client: it answers what it is told,
in order, and keeps what it was asked. The emulator is the faithful one; this one misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOCATION = "/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef"
ANSWER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
RESET = object()
STALL = object()


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Said:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def key_reply(value: str = "ek_test_one", expires_at: int = 4_000_000_000) -> Said:
    content = {"value": value, "expires_at": expires_at, "session": {"instructions": "inside"}}
    return Said(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def answer_reply(location: str = LOCATION) -> Said:
    kind = {"Content-Type": "text/plain; charset=utf-8", "Location": location}
    return Said(201, ANSWER.encode(), kind)


def refusal(status: int, code: str | None = None, message: str = "words of upstream") -> Said:
    return Said(status, json.dumps({"error": {"code": code, "message": message}}).encode())


class Upstream:
    """`script[path]` lists what to say, the last one for good; `asked` is what came in."""

    def __init__(self) -> None:
        self.script: dict[str, list[Any]] = {}
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self.release = threading.Event()
        self.connections = 0
        self.url = ""

    def on(self, path: str, *said: Any) -> None:
        self.script[path] = list(said)

    def count(self, path: str) -> int:
        return sum(asked.path.partition("?")[0] == path for asked in self.asked)

    def next(self, path: str) -> Any:
        with self.lock:
            said = self.script.get(path.partition("?")[0], [Said(404)])
            return said.pop(0) if len(said) > 1 else said[0]


@contextmanager
def upstream() -> Iterator[Upstream]:
    script = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            script.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append(
                Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            said = script.next(self.path)
            if said is STALL:
                script.release.wait(30)
                said = RESET
            if said is RESET:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 512  # many callers come at once

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
