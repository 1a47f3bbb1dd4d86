"""A part of something large, as a player asks for it (RFC 9110, section 14).

The Functions host holds every response whole in memory, and Static Web Apps gives up on a backend
after 45 seconds, so one response has at most `PART_BYTES`. A player that asks for more gets the
beginning of what it asked for, and asks on from there; so do `curl` and scripts that ask for one
part after the other (docs/api.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.api.response import Response
from shared.core.problems import Problem

PART_BYTES = 4 * 1024 * 1024
ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
RANGES = {"Accept-Ranges": "bytes"}
FOR_PLAYERS = {"Content-Security-Policy": "default-src 'none'; media-src 'self'"}
"""What a browser needs that opens audio as a page of its own."""


def requested_range(header: str, length: int) -> tuple[int, int] | None:
    """Where the part that `Range` asks for begins, and where it is over; None without one that can
    be honoured: several ranges, and what is malformed, count as none. Raises Problem
    range_not_satisfiable."""
    found = ONE_RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, stop = max(0, length - int(found[2])), length
    else:
        start = int(found[1])
        stop = min(length, int(found[2]) + 1) if found[2] else length
        if found[2] and int(found[2]) < start:
            return None
    if start >= length:
        headers = {**RANGES, "Content-Range": f"bytes */{length}"}
        raise Problem("range_not_satisfiable", f"There are {length} bytes.", headers=headers)
    return start, stop


def partial_response(
    header: str, length: int, content_type: str, read: Callable[[int, int], bytes]
) -> Response:
    """The part of `length` bytes that the header `Range` asks for, or all of them if that is not
    too much. `read` gives the bytes from one place to before another.

    Raises Problem range_not_satisfiable, range_required.
    """
    headers = {**RANGES, **FOR_PLAYERS}
    asked = requested_range(header, length)
    if asked is None:
        if length > PART_BYTES:
            raise Problem("range_required", f"There are {length} bytes.", headers=RANGES)
        return Response(200, read(0, length), content_type, headers)
    start, stop = asked
    body = read(start, min(stop, start + PART_BYTES))
    headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{length}"
    return Response(206, body, content_type, headers)
