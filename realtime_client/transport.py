"""What both clients do alike at the edge: headers, limits of time, and how httpx2's errors read."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx2

from realtime_client.version import __version__
from realtime_client.wire import Failed, Reply, Request

TIMEOUT: Final = timedelta(seconds=50)
"""A start may take the broker half a minute, and Static Web Apps ends any request at 45 s."""
CONNECT_TIMEOUT: Final = timedelta(seconds=10)
TOKEN_HEADER: Final = "X-Caller-Token"  # noqa: S105
"""Not Authorization, which Static Web Apps replaces."""
PLAIN: Final = re.compile(r"([!-~]([ -~]*[!-~])?)?")
LARGEST_BODY: Final = 32 << 20
"""Bytes. A transcript of hours has a few million."""
GRACE: Final = timedelta(seconds=1)
USER_AGENT: Final = f"realtime-token-broker-client/{__version__}"
ERRORS: Final = (httpx2.HTTPError, httpx2.InvalidURL)
"""What httpx2 raises on the way."""
NOT_SENT: Final = (
    *(httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout),
    *(httpx2.ProxyError, httpx2.UnsupportedProtocol, httpx2.InvalidURL),
)
"""Errors of a request of which nothing has left."""


class Body:
    """The body of a response as it comes. What is too large, or takes longer than that from the
    headers on, is an error of httpx2's, whose own limit is for each part."""

    def __init__(self, timeout: timedelta) -> None:
        self.ends_at = time.monotonic() + timeout.total_seconds()
        self.content = bytearray()

    def add(self, part: bytes) -> None:
        self.content += part
        if len(self.content) > LARGEST_BODY:
            raise httpx2.ReadError(f"more than {LARGEST_BODY >> 20} MiB")
        if time.monotonic() > self.ends_at:
            raise httpx2.ReadTimeout("no whole answer in time")


def request_headers(request: Request, extra: Mapping[str, str], token: str) -> httpx2.Headers:
    """The headers of a request of whoever has that token; none if it is empty."""
    headers = httpx2.Headers(
        {
            "User-Agent": USER_AGENT,
            "Accept": "application/json, application/sdp, application/problem+json",
        }
    )
    headers.update(plain_headers(extra))
    headers.update(plain_headers({TOKEN_HEADER: token} if token else {}))
    headers.update(request.headers)
    return headers


def plain_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, of which a token may come from a page. Raises ValueError, which does not say the
    value, as the error of the HTTP library would."""
    for name, value in headers.items():
        if not PLAIN.fullmatch(value):
            raise ValueError(f"{name}: expected ASCII, without a line break or spaces around it")
    return headers


def without_kept_cookies(request: httpx2.Request, headers: httpx2.Headers) -> httpx2.Request:
    """The request without what an HTTP client of somebody's own has kept of another's response."""
    if "Cookie" not in headers:
        request.headers.pop("Cookie", None)
    return request


def time_limits(timeout: timedelta) -> httpx2.Timeout:
    """The limits of each wait. Raises ValueError for no time at all."""
    if timeout <= timedelta(0):
        raise ValueError("timeout: expected more than no time")
    seconds = timeout.total_seconds()
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT.total_seconds()))


def seconds_for_all(timeout: timedelta) -> float:
    """The limit of all waits together, which is the later one: the others know what was sent."""
    return (timeout + GRACE).total_seconds()


def no_cookies() -> CookieJar:
    """A jar that keeps nothing: one client serves many callers, and a cookie would be of one."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def reply_of(response: httpx2.Response, body: Body) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, bytes(body.content), str(response.url))


def failure_of(error: Exception) -> Failed:
    """What went wrong, without what httpx2 says of a header that cannot be sent: its value."""
    name, said = type(error).__name__, str(error)
    if isinstance(error, TimeoutError):
        said = "no whole answer in time"
    elif isinstance(error, httpx2.LocalProtocolError):
        said = "the request is not valid HTTP"
    return Failed(not isinstance(error, NOT_SENT), f"{name}: {said}" if said else name)
