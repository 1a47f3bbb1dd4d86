"""Responses of the plainest shape: read whole, with one look at their bytes.

Almost every answer is one: a final status, headers of one line each, a body of a stated length, in
chunks or none, all of it there at once. http.client takes several times as long to read it, most of
that in the parser for e-mail. Whatever is any different is read by http.client (http_response.py):
this knows what an answer looks like that cannot be read in two ways, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import HTTPHeaderDict

HEAD_END = b"\r\n\r\n"
STATUS_LINE = re.compile(r"HTTP/1\.1 ([2-5][0-9]{2})(?: [\t\x20-\x7e]*)?")
HEADER = re.compile(r"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e]*)")
LENGTH = re.compile(r"[0-9]{1,9}")
NO_BODY = 204
NOT_MODIFIED = 304
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,7}")
ONCE = frozenset({"content-length", "transfer-encoding"})
UNUSUAL = frozenset({"content-encoding", "connection", "trailer", "upgrade"})
"""Headers that say that there is more to know about a response or its connection."""


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """A response that has been read. As one of urllib3, as far as the broker reads them."""

    status: int
    headers: HTTPHeaderDict
    body: bytes = field(repr=False)

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """The body, which is not compressed."""
        yield self.body

    def release_conn(self) -> None:
        """Its connection is back in the pool already."""

    def close(self) -> None:
        """As `release_conn`."""


def read_plain(received: bytes) -> PlainResponse | None:
    """The response that these bytes are, no more and no less; None unless it is a plain one."""
    end = received.find(HEAD_END)
    if end < 0:
        return None
    # As http.client decodes them.
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    found = STATUS_LINE.fullmatch(first)
    headers = read_headers(lines)
    if found is None or headers is None:
        return None
    status, content = int(found[1]), received[end + len(HEAD_END) :]
    body = whole_body(status, headers, content)
    return None if body is None else PlainResponse(status, headers, body)


def whole_body(status: int, headers: HTTPHeaderDict, content: bytes) -> bytes | None:
    """The body that `content` is, no more and no less; None unless its end is beyond doubt."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if status == NOT_MODIFIED or (coding is not None and (length is not None or status == NO_BODY)):
        return None
    if coding is not None:
        return join_chunks(content) if coding == "chunked" else None
    if length is None and status != NO_BODY:
        return None
    is_whole = len(content) == int(length or 0) and not (content and status == NO_BODY)
    return content if is_whole else None


def join_chunks(content: bytes) -> bytes | None:
    """What these chunks hold; None unless they are all there, without extensions and trailers."""
    chunks: list[bytes] = []
    start = 0
    while (end := content.find(b"\r\n", start)) >= 0:
        if CHUNK_SIZE.fullmatch(content[start:end]) is None:
            return None
        size, begin = int(content[start:end], 16), end + 2
        start = begin + size + 2
        if content[start - 2 : start] != b"\r\n":
            return None
        if not size:
            return b"".join(chunks) if start == len(content) else None
        chunks.append(content[begin : begin + size])
    return None


def read_headers(lines: list[str]) -> HTTPHeaderDict | None:
    """The headers in these lines; None if one is odd, or says that the response is no plain one."""
    from urllib3 import HTTPHeaderDict

    headers = HTTPHeaderDict()
    for line in lines:
        found = HEADER.fullmatch(line)
        if found is None:
            return None
        name, value = found.groups()
        lower = name.lower()
        if lower in UNUSUAL:
            return None
        if lower in ONCE and lower in headers:
            return None
        if lower == "content-length" and LENGTH.fullmatch(value) is None:
            return None
        headers.add(name, value)
    return headers
