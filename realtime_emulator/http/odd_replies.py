"""Responses that a fault alters or sends byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from realtime_emulator.script.script import merge_patch


def encode_raw(text: str) -> bytes:
    """UTF-8, with `\\udc80` to `\\udcff` for bytes that are not."""
    return text.encode("utf-8", "surrogateescape")


def alter_response(response: web.Response, reply: Mapping[str, Any]) -> web.Response:
    """The response with what `reply` replaces: `status`, `headers`, `body`, or parts of the
    JSON."""
    body = response.body if isinstance(response.body, bytes) else b""
    if "json" in reply:
        body = json.dumps(merge_patch(json.loads(body), reply["json"])).encode()
    if "body" in reply:
        body = encode_raw(reply["body"])
    headers = response.headers.copy()
    headers.popall("Content-Length", None)
    for name, value in reply.get("headers", {}).items():
        headers.popall(name, None)
        if value is not None:
            headers[name] = value
    return web.Response(status=reply.get("status", response.status), body=body, headers=headers)


async def drip_response(
    request: web.Request, response: web.Response, pause: timedelta, *, whole: bool
) -> None:
    """Sends the response byte by byte, `pause` apart, and closes the connection.

    With `whole`, the headers drip too; otherwise only the body.
    """
    body = response.body if isinstance(response.body, bytes) else b""
    headers = {**response.headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {response.status} {response.reason}\r\n{lines}\r\n".encode()
    at_once, slowly = (b"", head + body) if whole else (head, body)
    transport = request.transport
    if transport is None:
        return
    transport.write(at_once)
    for byte in slowly:
        await asyncio.sleep(pause.total_seconds())
        if transport.is_closing():
            return
        transport.write(bytes([byte]))
    transport.close()
