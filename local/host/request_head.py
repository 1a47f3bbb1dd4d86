"""A request's line and headers, read as Kestrel reads them, the web server of the real host.

What aiohttp refuses, Kestrel often accepts, and the other way round: a request that works here must
work there. The rules are those of ASP.NET Core 8 to 10 (Kestrel's HttpParser, Http1MessageBody and
its default limits); recorded answers of the real host hold them (tests/fixtures/host).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.host.request_target import RefusedRequest, resolve_target

REQUEST_LINE_BYTES = 8 * 1024
HEADER_BYTES = 32 * 1024
HEADERS = 100
LARGEST_LENGTH = 2**63 - 1
REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ?%][^ ]*) +([^ ].{7})\r?", re.DOTALL
)
# Wider than a token: Kestrel wants no more than that a name is ASCII and has no space.
HEADER_NAME = re.compile(rb"[^\0\t\r :\x80-\xff]+")
CONTROL = re.compile(rb"[\0\r]")
VERSIONS = {b"HTTP/1.1": HttpVersion11, b"HTTP/1.0": HttpVersion10}
# Python converts no more than 4,300 digits; no length that is taken has a hundred.
LENGTH = re.compile(r"\+?[0-9]{1,100}|-0{1,100}")


@dataclass(frozen=True, slots=True)
class RequestLine:
    method: str
    target: str
    version: HttpVersion


@dataclass(frozen=True, slots=True)
class Head:
    """A whole head: aiohttp's message, whose `path` is the target resolved, and how the body is
    framed: `length` bytes, or chunks."""

    message: RawRequestMessage
    length: int
    chunked: bool


@dataclass(slots=True)
class HeadReader:
    """Reads one head, however its bytes arrive."""

    tail: bytes = b""
    line: RequestLine | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    header_bytes: int = 0

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and what follows it, or None while it is not whole. Raises RefusedRequest."""
        data = self.tail + data
        start = 0
        while True:
            if self.line is None and start == 0:
                data = data.lstrip(b"\r\n")
            end = data.find(b"\n", start)
            self.check_limits(data, start, end)
            if end < 0:
                self.tail = data[start:]
                return None
            line = data[start:end]
            start = end + 1
            if self.line is None:
                self.line = parse_request_line(line)
            elif line in (b"", b"\r"):
                return make_head(self.line, self.headers), data[start:]
            else:
                self.headers.append(parse_header(line))

    def check_limits(self, data: bytes, start: int, end: int) -> None:
        """Refuses a line that is too long, whole or not, and too many or too long headers."""
        length = (len(data) if end < 0 else end + 1) - start
        if self.line is None:
            if b"\0" in data[start : start + length]:
                raise RefusedRequest
            if length > REQUEST_LINE_BYTES or (end < 0 and length == REQUEST_LINE_BYTES):
                raise RefusedRequest(414)
            return
        if end >= 0:
            self.header_bytes += length
            length = 0
        if self.header_bytes + length > HEADER_BYTES + 2 or len(self.headers) > HEADERS:
            raise RefusedRequest(431)


def parse_request_line(line: bytes) -> RequestLine:
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise RefusedRequest
    method, target, version = found.groups()
    if version not in VERSIONS:
        raise RefusedRequest(505)
    if not target.isascii():
        raise RefusedRequest
    return RequestLine(method.decode(), target.decode(), VERSIONS[version])


def parse_header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.removesuffix(b"\r").partition(b":")
    if not colon or HEADER_NAME.fullmatch(name) is None or CONTROL.search(value):
        raise RefusedRequest
    return name, value.strip(b" \t")


def make_head(line: RequestLine, raw_headers: list[tuple[bytes, bytes]]) -> Head:
    headers = decode_headers(raw_headers)
    host = only_host(headers, line.version)
    target = resolve_target(line.method, line.target, host)
    length, chunked = read_framing(line, headers)
    options = list_of(headers, "Connection")
    keep_alive = line.version == HttpVersion11 or "keep-alive" in options
    message = RawRequestMessage(
        # The worker's library gives the app every method in upper case.
        line.method.upper(),
        target,
        line.version,
        CIMultiDictProxy(headers),
        tuple(raw_headers),
        not keep_alive or "close" in options or "X-Content-Length" in headers,
        None,
        False,
        chunked,
        URL.build(path=target.partition("?")[0] or "/", encoded=True),
    )
    return Head(message, length, chunked)


def decode_headers(raw_headers: list[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in raw_headers:
        try:
            headers.add(name.decode(), value.decode())
        except UnicodeDecodeError:
            raise RefusedRequest from None
    return headers


def only_host(headers: CIMultiDict[str], version: HttpVersion) -> str | None:
    hosts = headers.getall("Host", [])
    if len(hosts) > 1 or (not hosts and version != HttpVersion10):
        raise RefusedRequest
    return hosts[0] if hosts else None


def list_of(headers: CIMultiDict[str], name: str) -> list[str]:
    joined = ",".join(headers.getall(name, []))
    return [part.strip(" \t").lower() for part in joined.split(",")]


def read_framing(line: RequestLine, headers: CIMultiDict[str]) -> tuple[int, bool]:
    """How long the body is, and whether it is chunked. A chunked one hides a Content-Length, which
    the app sees as X-Content-Length."""
    lengths = headers.getall("Content-Length", [])
    if len(lengths) > 1 or any(LENGTH.fullmatch(length) is None for length in lengths):
        raise RefusedRequest
    if lengths and int(lengths[0]) > LARGEST_LENGTH:
        raise RefusedRequest
    if "Transfer-Encoding" in headers:
        if list_of(headers, "Transfer-Encoding")[-1] != "chunked":
            raise RefusedRequest
        if lengths:
            headers["X-Content-Length"] = headers.popone("Content-Length")
        return 0, True
    if not lengths and line.version == HttpVersion10 and line.method in ("POST", "PUT"):
        raise RefusedRequest
    return int(lengths[0]) if lengths else 0, False
