"""HTTP/1.1 as bytes, for requests that no client library would send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back; `headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(url: str, *parts: bytes) -> RawReply:
    """Sends `parts`, a moment apart so that they arrive apart, and reads one response."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(PATIENCE):
            for part in parts:
                writer.write(part)
                await writer.drain()
                if part is not parts[-1]:
                    await asyncio.sleep(0.05)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
            headers = {name.lower(): value.strip() for name, _, value in lines}
            body = await read_body(reader, headers)
    finally:
        writer.close()
    return RawReply(int(re.split(" ", head, maxsplit=2)[1]), headers, body)


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    return body


def request(
    line: str, headers: Sequence[str] = (), body: bytes = b"", *, host: str | None = "127.0.0.1"
) -> bytes:
    """A request; its length is stated unless `headers` say how the body is framed."""
    lines = [f"{line} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *headers]
    if not any(re.match("(?i)content-length|transfer-encoding", one) for one in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
