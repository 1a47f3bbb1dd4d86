"""Responses of the plainest shape: read whole, with one look at their bytes.

Almost every answer is one: a final status, headers of one line each, a body of a stated length or
none, all of it there at once. http.client takes several times as long to read it, most of that in
the parser for e-mail. Whatever is any different is read by http.client (http_response.py): this
knows what an answer looks like that cannot be read in two ways, and nothing else.
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
UNUSUAL = frozenset({"transfer-encoding", "content-encoding", "connection", "trailer", "upgrade"})
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
    status, body = int(found[1]), received[end + len(HEAD_END) :]
    length = headers.get("content-length")
    if status == NOT_MODIFIED or (length is None and status != NO_BODY):
        return None
    if len(body) != int(length or 0) or (body and status == NO_BODY):
        return None
    return PlainResponse(status, headers, body)


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
        if lower == "content-length" and (lower in headers or not LENGTH.fullmatch(value)):
            return None
        headers.add(name, value)
    return headers
