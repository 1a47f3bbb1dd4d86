"""Callers that send the next request as soon as they are answered, in a process of their own.

    python -m bench.harness.load SPECIFICATION

Takes a `Load` as JSON and prints what it measured as one line of JSON. A connection that the server
closes is made again, as any client would. Ends after `count` requests or `seconds`, whichever comes
first, and waits at most `patience` for the answers still outstanding.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.report.stats import quantile

UNLIMITED = 10**9
READ_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """`callers` at once, until there are `count` answers or `seconds` have passed.

    Answers in the first `settle` seconds, while connections are made, are not measured.
    `every_caller` goes on, at most `patience` seconds, until each caller has had an answer.
    `spread` gives each request a client address of its own (X-Forwarded-For). All times are in
    seconds, since this travels as JSON.
    """

    url: str
    method: str = "POST"
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    callers: int = 1
    seconds: float = 4.0
    settle: float = 0.0
    count: int = UNLIMITED
    patience: float = 60.0
    every_caller: bool = False
    spread: bool = False
    certificate: str = ""

    def json(self) -> str:
        return json.dumps(asdict(self))


class LoadGenerator:
    """Sends one load."""

    def __init__(self, load: Load) -> None:
        self.load = load
        parts = urlsplit(load.url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.tls = ssl.create_default_context(cafile=load.certificate) if load.certificate else None
        body = load.body.encode()
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{load.method} {path} HTTP/1.1", f"Host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in load.headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        self.head, self.body = "\r\n".join(lines).encode() + b"\r\n", b"\r\n" + body
        self.latencies: list[float] = []
        self.answers = 0
        self.in_window = 0.0
        self.statuses: Counter[str] = Counter()
        self.sent = 0
        self.window_start = self.window_end = 0.0

    async def run(self) -> dict[str, Any]:
        start = time.perf_counter()
        self.window_start, self.window_end = start + self.load.settle, start + self.load.seconds
        callers = [asyncio.create_task(self.run_caller()) for _ in range(self.load.callers)]
        limit = self.load.seconds + self.load.patience
        _, late = await asyncio.wait(callers, timeout=limit)
        duration = time.perf_counter() - start
        for task in late:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        window = min(duration, self.load.seconds) - self.load.settle
        # Where each caller waits for its one answer, all answers count, and the whole duration.
        whole = self.load.every_caller
        self.latencies.sort()
        cpu = os.times()
        return {
            "answers": self.answers,
            "unanswered": len(late),
            "statuses": dict(self.statuses),
            "seconds": duration,
            "per_second": self.answers / duration if whole else self.in_window / window,
            "p50_ms": quantile(self.latencies, 0.5) * 1000,
            "p99_ms": quantile(self.latencies, 0.99) * 1000,
            "load_cpu_ms": (cpu.user + cpu.system) * 1000 / max(1, self.answers),
        }

    async def run_caller(self) -> None:
        """One caller, with one connection at a time."""
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        answered = False
        while self.sent < self.load.count:
            late = time.perf_counter() >= self.window_end
            if late and not (self.load.every_caller and not answered):
                break
            self.sent += 1
            number = self.sent
            start = time.perf_counter()
            try:
                if writer is None or reader is None or writer.is_closing():
                    reader, writer = await asyncio.open_connection(
                        self.host, self.port, ssl=self.tls, limit=READ_LIMIT
                    )
                writer.write(self.request(number))
                status, keep = await read_response(reader)
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self.statuses[type(error).__name__] += 1
                if writer is not None:
                    writer.close()
                writer = None
                await asyncio.sleep(0.01)
                continue
            answered = True
            self.record_answer(start, status)
            if not keep:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()

    def record_answer(self, start: float, status: str) -> None:
        now = time.perf_counter()
        self.answers += 1
        self.statuses[status] += 1
        if now >= self.window_start:
            self.latencies.append(now - start)
            # By its share of the window: where all callers are answered at the same moments,
            # whole requests would be off by one round, a twentieth.
            inside = min(now, self.window_end) - max(start, self.window_start)
            self.in_window += max(0.0, inside) / (now - start)

    def request(self, number: int) -> bytes:
        if not self.load.spread:
            return self.head + self.body
        seed = (number + (time.time_ns() >> 10)) % 2**24
        address = f"10.{seed >> 16}.{seed >> 8 & 255}.{seed & 255}"
        return self.head + f"X-Forwarded-For: {address}\r\n".encode() + self.body


async def read_response(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """Reads one response; gives its status, and whether the connection stays open."""
    head = await read_head(reader)
    return head.split(b" ", 2)[1].decode(), b"connection: close" not in head.lower()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Reads one response to the end of its body; gives its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at < 0 and b"transfer-encoding: chunked" in lower:
        while (size := int((await reader.readline()).strip() or b"0", 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readline()
    elif at >= 0:
        await reader.readexactly(int(head[at + 15 : head.find(b"\r\n", at)]))
    return head


if __name__ == "__main__":
    measured = asyncio.run(LoadGenerator(Load(**json.loads(sys.argv[1]))).run())
    sys.stdout.write(json.dumps(measured) + "\n")
