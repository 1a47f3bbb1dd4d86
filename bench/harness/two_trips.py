"""What a first `/connect` cannot do without: a handshake, and two requests over that connection.

    python -m bench.harness.two_trips URL CERTIFICATE

Mints a key and posts an offer with it, with nothing but the standard library, which has been
imported, and the authorities, which have been loaded, before the clock is started. Prints how long
it took as one line of JSON.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from urllib.parse import urlsplit

from bench.harness.fake_endpoint import SDP

KEYS, CALLS = "/openai/v1/realtime/client_secrets", "/openai/v1/realtime/calls"


def post(connection: http.client.HTTPSConnection, path: str, body: str, bearer: str) -> bytes:
    connection.request("POST", path, body, {"Authorization": f"Bearer {bearer}"})
    response = connection.getresponse()
    content = response.read()
    if response.status not in (200, 201):
        raise RuntimeError(f"{path}: {response.status}")
    return content


def measure(url: str, certificate: str) -> dict[str, float]:
    parts, context = urlsplit(url), ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context)
    began = time.perf_counter()
    connection.connect()
    connected = time.perf_counter()
    key = json.loads(post(connection, KEYS, "{}", "bench"))["value"]
    post(connection, CALLS, SDP, key)
    ended = time.perf_counter()
    connection.close()
    return {"handshake_ms": (connected - began) * 1000, "trips_ms": (ended - began) * 1000}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*sys.argv[1:])) + "\n")
