"""Receives the frames of a Live call's audio over TLS, and prints the processor time of one in µs.

    python -m bench.harness.live_frames_process URL

`receiving` takes the bytes from the socket and the TLS library and does nothing with them: less is
not possible. `ours` is the broker's sideband, which drops them; `parsing` is the same sideband with
nothing dropped, whose reader parses the JSON of every frame.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from statistics import median
from urllib.parse import urlsplit

from bench.harness.live_observer_process import WAYS
from bench.harness.live_sideband import BURST
from shared.sideband.connector import SidebandConnector
from shared.sideband.receive_buffers import RECEIVED_AT_ONCE
from shared.sideband.sideband import SidebandClosed

TIMES = 3
CALL = "burst"
HANDSHAKE = (
    f"GET /v1/live/sessions/{CALL}/attach HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
).encode()
MASKED_TEXT = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"{}"


class Discarding(asyncio.BufferedProtocol):
    """Throws away whatever comes."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(RECEIVED_AT_ONCE))
        self.answered = asyncio.Event()
        self.over = asyncio.Event()

    def get_buffer(self, _: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, _: int) -> None:
        self.answered.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.over.set()


async def discard(url: str) -> float:
    """The processor time, in seconds, of a burst that is thrown away."""
    there = urlsplit(url)
    assert there.hostname is not None
    assert there.port is not None
    tls = ssl.create_default_context()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(
        Discarding, there.hostname, there.port, ssl=tls
    )
    transport.write(HANDSHAKE)
    await protocol.answered.wait()
    started = time.process_time()
    transport.write(MASKED_TEXT)
    await protocol.over.wait()
    return time.process_time() - started


async def read(url: str, way: str) -> float:
    """The same of a burst that comes on a sideband."""
    headers = {"Authorization": "Bearer key-of-the-bench"}
    connect = SidebandConnector(f"{url}/v1/live", lambda: headers, WAYS[way])
    sideband = await connect(CALL)
    started = time.process_time()
    await sideband.send_event({"type": "session.update", "session": {}})
    try:
        while True:
            await sideband.receive_event()
    except SidebandClosed:
        return time.process_time() - started


async def main() -> None:
    url = sys.argv[1]
    spent: dict[str, list[float]] = {"receiving": [], **{way: [] for way in WAYS}}
    for _ in range(TIMES):
        for way, times in spent.items():
            times.append(await (discard(url) if way == "receiving" else read(url, way)))
    found = {way: median(times) / BURST * 1e6 for way, times in spent.items()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
