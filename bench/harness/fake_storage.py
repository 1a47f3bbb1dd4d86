"""A storage account that keeps nothing, as a program: it says yes to whatever a start writes.

    python -m bench.harness.fake_storage --latency 0.005

Azurite takes as much processor time for a start as the broker, on the same cores: with it the bench
measures Azurite. This answers with the headers of Azure's services, in a few hundredths of a
millisecond. Every caller's row is missing, every write succeeds, every queue is empty.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from email.utils import formatdate

from bench.harness.processes import serve_until_stopped
from realtime_emulator.serving import server
from tests.support.azurite import ACCOUNT, KEY
from tests.support.scripted_endpoint import Asked, Listener, Said

REQUEST_ID = "x-ms-client-request-id"
ETAG = "W/\"datetime'2026-11-27T01%3A05%3A16.1507015Z'\""
TYPICAL = {
    "Cache-Control": "no-cache",
    "Server": "Windows-Azure-Table/1.0 Microsoft-HTTPAPI/2.0",
    "x-ms-request-id": "6201b30c-4925-44d2-b1d5-5d879cfc0d52",
    "x-ms-version": "2019-02-02",
    "X-Content-Type-Options": "nosniff",
}
MISSING = (
    b'{"odata.error":{"code":"ResourceNotFound","message":{"lang":"en-US",'
    b'"value":"The specified resource does not exist."}}}'
)
SENT = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><QueueMessagesList><QueueMessage>'
    b"<MessageId>6201b30c-4925-44d2-b1d5-5d879cfc0d52</MessageId>"
    b"<InsertionTime>Fri, 27 Nov 2026 01:05:16 GMT</InsertionTime>"
    b"<ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime>"
    b"<PopReceipt>AgAAAAMAAAAAAAAA</PopReceipt>"
    b"<TimeNextVisible>Fri, 27 Nov 2026 01:05:16 GMT</TimeNextVisible>"
    b"</QueueMessage></QueueMessagesList>"
)
NO_MESSAGES = b'<?xml version="1.0" encoding="utf-8"?><QueueMessagesList />'
PART = (
    "--changesetresponse_1\r\nContent-Type: application/http\r\n"
    "Content-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 204 No Content\r\n"
    f"DataServiceVersion: 3.0;\r\nETag: {ETAG}\r\n\r\n\r\n"
)
JSON, XML = "application/json;odata=minimalmetadata", "application/xml"


def connection_string(url: str) -> str:
    """What `AzureWebJobsStorage` says of the account at `url`."""
    services = "".join(f"{each}Endpoint={url}/{ACCOUNT};" for each in ("Blob", "Queue", "Table"))
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{services}"


def reply(request: Asked) -> Said:
    """What Azure answers to a request that succeeds."""
    method, path = request.head.partition(b" ")[0], request.path.partition("?")[0]
    said = answer(method, path, request)
    sent = request.headers.get(REQUEST_ID)
    said.headers |= {**TYPICAL, "Date": formatdate(usegmt=True)}
    if sent is not None:
        said.headers[REQUEST_ID] = sent
    return said


def answer(method: bytes, path: str, request: Asked) -> Said:
    if path.endswith("/messages") and method == b"POST":
        return Said(201, SENT, {"Content-Type": XML})
    if path.endswith("/messages"):
        return Said(200, NO_MESSAGES, {"Content-Type": XML})
    if path.endswith("/$batch"):
        parts = PART * request.body.count(b"Content-Type: application/http")
        body = (
            "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1"
            f"\r\n\r\n{parts}--changesetresponse_1--\r\n--batchresponse_1--\r\n"
        )
        kind = "multipart/mixed; boundary=batchresponse_1"
        return Said(202, body.encode(), {"Content-Type": kind})
    if method == b"GET" and path.endswith("()"):
        return Said(200, b'{"value":[]}', {"Content-Type": JSON})
    if method in (b"GET", b"HEAD"):
        code = {"x-ms-error-code": "ResourceNotFound", "Content-Type": JSON}
        return Said(404, MISSING if method == b"GET" else b"", code)
    if method in (b"POST", b"PUT") and "(" not in path and path.count("/") < 3 and not request.body:
        return Said(201)
    return Said(204, b"", {"ETag": ETAG, "DataServiceVersion": "3.0;"})


async def serve(latency: float) -> None:
    await serve_until_stopped(await Listener(reply, latency).listen(server.LOOPBACK, None))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.fake_storage", description=__doc__
    )
    parser.add_argument("--latency", type=float, default=0.005, help="seconds (%(default)s)")
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.latency))
    return 0


if __name__ == "__main__":
    server.finish(main())
