"""Where a call is at the broker: its Location, which is relative to the request's URL."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import aiohttp


def call_url(answer: aiohttp.ClientResponse) -> str:
    """The call's URL; "" if the answer has no Location."""
    location = answer.headers.get("Location", "")
    return urljoin(str(answer.url), location) if location else ""


def call_path(answer: aiohttp.ClientResponse) -> str:
    """The path of the call's URL; "" if the answer has no Location."""
    return urlsplit(call_url(answer)).path
