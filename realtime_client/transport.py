"""What both clients do alike at the edge: headers, limits of time, and how httpx2's errors read."""

from __future__ import annotations

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
USER_AGENT: Final = f"realtime-token-broker-client/{__version__}"
NOT_SENT: Final = (
    *(httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout),
    *(httpx2.ProxyError, httpx2.UnsupportedProtocol),
)
"""Errors of a request of which nothing has left."""


def headers_of(request: Request, extra: Mapping[str, str], token: str) -> dict[str, str]:
    """The headers of a request of whoever has that token; none if it is empty."""
    return {
        "User-Agent": USER_AGENT,
        "Accept": "application/json, application/sdp, application/problem+json",
        **extra,
        **({TOKEN_HEADER: token} if token else {}),
        **request.headers,
    }


def time_limits(timeout: timedelta) -> httpx2.Timeout:
    seconds = timeout.total_seconds()
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT.total_seconds()))


def no_cookies() -> CookieJar:
    """A jar that keeps nothing: one client serves many callers, and a cookie would be of one."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def reply_of(response: httpx2.Response) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content, str(response.url))


def failure_of(error: httpx2.HTTPError) -> Failed:
    return Failed(not isinstance(error, NOT_SENT), f"{type(error).__name__}: {error}")
