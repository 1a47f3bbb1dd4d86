"""Stands in for the model's endpoint over TLS: answers at a set latency, and costs little.

    python -m bench.harness.fake_endpoint --latency 0.15 --certificate pair.pem

A protocol on asyncio and nothing more, in a process of its own, so that it is not what is measured;
`bench.measure.requests` measures its ceiling too. `GET /count` says how many requests of each kind
came.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import secrets
import ssl
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from local.common import server as serving

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
    + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n"
).encode()
KEY_LIFE = 1800
LARGEST_HEAD = 64 * 1024


class Endpoint(asyncio.Protocol):
    """One connection. `latency` is in seconds, `counted` is shared by all connections."""

    def __init__(self, latency: float, counted: Counter[str]) -> None:
        self.latency = latency
        self.counted = counted
        self.data = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counted["connections"] += 1

    def data_received(self, data: bytes) -> None:
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self.data[:end])
            length = content_length(head)
            if len(self.data) < end + 4 + length:
                return
            del self.data[: end + 4 + length]
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            kind = path.rpartition(b"/")[2].decode()
            self.counted[kind] += 1
            wait = 0.0 if kind == "count" else self.latency
            asyncio.get_running_loop().call_later(wait, self.reply, kind)

    def reply(self, kind: str) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(self.answer(kind))

    def answer(self, kind: str) -> bytes:
        if kind == "client_secrets":
            key = {"value": "ek_" + secrets.token_hex(16), "session": {"type": "realtime"}}
            body = json.dumps({**key, "expires_at": int(time.time()) + KEY_LIFE}).encode()
            return message("200 OK", "application/json", body)
        if kind == "calls":
            place = f"Location: /openai/v1/realtime/calls/rtc_{secrets.token_hex(12)}\r\n"
            return message("201 Created", "text/plain", SDP, place)
        if kind == "count":
            return message("200 OK", "application/json", json.dumps(self.counted).encode())
        return message("200 OK", "application/json", b"{}")


def content_length(head: bytes) -> int:
    """Of a request's head, in bytes; 0 where it names none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def message(status: str, kind: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def serve(latency: float, certificate: Path, address: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    counted: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Endpoint(latency, counted), address, 0, ssl=tls, backlog=2048
    )
    stop = asyncio.Event()
    serving.stop_on_signals(stop)
    serving.stop_on_end_of_stdin(stop)
    sys.stdout.write(f"ready https://{address}:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.fake_endpoint", description=__doc__
    )
    parser.add_argument("--latency", type=float, default=0.15, help="seconds (%(default)s)")
    parser.add_argument("--certificate", type=Path, required=True, help="certificate and key, PEM")
    parser.add_argument("--address", default=serving.LOOPBACK, help="(%(default)s)")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.latency, options.certificate, options.address))
    return 0


if __name__ == "__main__":
    serving.finish(main())
