"""The scripted endpoint of the tests as a program: over TLS, at a set latency, with valid replies.

    python -m bench.harness.fake_endpoint --latency 0.15 --certificate pair.pem

A process of its own, so that it is not what is measured; `bench.measure.requests` measures what it
can serve. It mints keys and answers offers. The sideband is a WebSocket, which needs another
server: `bench.harness.fake_sideband`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness.processes import serve_until_stopped
from bench.harness.tls import server_context
from realtime_emulator.serving import server
from tests.support.scripted_endpoint import Asked, Listener, Said, answer_reply, key_reply

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
    + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n"
)
USUAL_LIFE = 7200
"""In seconds, of a key for which none is asked (measured on Azure)."""


def reply(request: Asked) -> Said:
    """A key, of the life that is asked for, or a call of its own for each request."""
    kind = request.path.partition("?")[0].rpartition("/")[2]
    if kind == "client_secrets":
        life = request.json().get("expires_after", {}).get("seconds", USUAL_LIFE)
        return key_reply("ek_" + secrets.token_hex(16), int(time.time()) + life)
    if kind == "calls":
        return answer_reply(f"/openai/v1/realtime/calls/rtc_{secrets.token_hex(12)}", SDP)
    return Said(200, b"{}", {"Content-Type": "application/json"})


async def serve(latency: float, certificate: Path, address: str) -> None:
    url = await Listener(reply, latency).listen(address, server_context(certificate))
    await serve_until_stopped(url)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.fake_endpoint", description=__doc__
    )
    parser.add_argument("--latency", type=float, default=0.15, help="seconds (%(default)s)")
    parser.add_argument("--certificate", type=Path, required=True, help="certificate and key, PEM")
    parser.add_argument("--address", default=server.LOOPBACK, help="(%(default)s)")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.latency, options.certificate, options.address))
    return 0


if __name__ == "__main__":
    server.finish(main())
