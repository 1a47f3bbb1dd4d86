"""Callers that each start a call, ask for its status and hang up, in a process of their own.

    python -m bench.harness.whole_calls URL CALLERS CALLS FIRST

Every call is another caller's, by the client address (X-Forwarded-For), numbered from FIRST. Prints
how many requests got which status as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from bench.harness.fake_endpoint import SDP
from bench.harness.load import read_head

OFFER = SDP.encode()
LOCATION = re.compile(rb"^Location: (\S+)", re.MULTILINE | re.IGNORECASE)


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Calls:
    """Calls at the broker at `url`, one after another, and what became of their requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.seen: Counter[str] = Counter()

    async def run(self, number: int) -> None:
        """One call, over a connection of its own."""
        reader, writer = await asyncio.open_connection(self.host, self.port)

        async def ask(name: str, method: str, path: str, body: bytes = b"") -> bytes:
            writer.write(self.request(method, path, number, body))
            head = await read_head(reader)
            self.seen[f"{name} {head.split(b' ', 2)[1].decode()}"] += 1
            return head

        try:
            started = LOCATION.search(await ask("start", "POST", "connect", OFFER))
            if started is not None:
                location = started[1].decode()
                await ask("status", "GET", location)
                await ask("hang up", "POST", f"{location}/hangup")
        finally:
            writer.close()

    def request(self, method: str, path: str, number: int, body: bytes) -> bytes:
        lines = [f"{method} /api/{path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"X-Forwarded-For: {address(number)}", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/sdp"] if body else []
        return "\r\n".join((*lines, "", "")).encode() + body


async def run(url: str, callers: int, calls: int, first: int) -> dict[str, Any]:
    all_calls, numbers = Calls(url), iter(range(first, first + calls))

    async def have_calls() -> None:
        for number in numbers:
            await all_calls.run(number)

    began = time.perf_counter()
    await asyncio.gather(*(have_calls() for _ in range(callers)))
    return {"statuses": dict(all_calls.seen), "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    target, *given = sys.argv[1:]
    measured = asyncio.run(run(target, *map(int, given)))
    sys.stdout.write(json.dumps(measured) + "\n")
