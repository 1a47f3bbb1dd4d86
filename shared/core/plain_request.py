"""Requests of the plainest shape, put together at once, byte for byte as urllib3 would.

http.client takes a call for each header, each with checks of its own. What it or urllib3 would
change or refuse is none of these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

HOST = re.compile(r"[a-z0-9.\-_]+")
TARGET = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
NAMES = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z\n]*")
VALUES = re.compile(r"[\t\x20-\x7e\n]*")
PERCENT = re.compile(r"%(?![0-9A-F]{2})")
LEFT_OUT = frozenset({"", "content-length", "host", "transfer-encoding"})
BODILESS = frozenset({"DELETE", "GET"})


def host_header(host: str, port: int | None, default_port: int) -> str:
    """The Host header of a request; "" for a host that http.client would write differently."""
    if HOST.fullmatch(host) is None or host.endswith("."):
        return ""
    return host if port in (None, default_port) else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a host. `target` is the path with the query. The timeouts are in seconds;
    `read_timeout` is for the next bytes."""

    method: str
    target: str = field(repr=False)  # may have a shared access signature
    body: bytes | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    connect_timeout: float
    read_timeout: float


def plain_request(request: Request, host: str, user_agent: str) -> bytes | None:
    """The bytes of that request, whose Host is `host`; None unless it is a plain one. `user_agent`
    is for a request that names none."""
    method, target, body, headers = request.method, request.target, request.body, request.headers
    names = {name.lower() for name in headers}
    if TARGET.fullmatch(target) is None or PERCENT.search(target) or names & LEFT_OUT:
        return None
    # Joined by what neither may have.
    count = len(headers) - 1 if headers else 0
    for joined, allowed in (("\n".join(headers), NAMES), ("\n".join(headers.values()), VALUES)):
        if allowed.fullmatch(joined) is None or joined.count("\n") != count:
            return None
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    if body is not None or method not in BODILESS:
        lines.append(f"Content-Length: {len(body or b'')}")
    if "user-agent" not in names:
        lines.append(f"User-Agent: {user_agent}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "\r\n")).encode("ascii") + (body or b"")
