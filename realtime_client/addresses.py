"""Where things are at the broker: URLs, handles and ids. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from realtime_client.wire import Reply, Request

HANDLE: Final = re.compile(r"[A-Za-z0-9_-]+")
NOT_IN_ADDRESS: Final = re.compile(r"[\s\x00-\x1f\x7f?#@\\]")
LONGEST_URL: Final = 16_000
"""More than servers take."""
CALL_ID: Final = re.compile(r"[0-9]{8}-[0-9]{8}-[0-9a-f]{12}")


def api_address(broker: str) -> str:
    """The address of the API: that of the broker with `/api`, unless its path has that already,
    followed by what the routes of a broker in another function app begin with.

    Raises ValueError for what is no http(s) URL, or one with a query, a fragment or credentials.
    """
    try:
        parts = urlsplit(broker)
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        is_address = False
    if not is_address or NOT_IN_ADDRESS.search(broker):
        raise ValueError("the broker's address: expected https://host or https://host/path")
    address = broker.rstrip("/")
    return address if re.search(r"/api(/|$)", parts.path.rstrip("/")) else f"{address}/api"


def url_of(api: str, request: Request) -> str:
    """The whole URL of a request. Raises ValueError for one that is too long."""
    query = f"?{urlencode(request.query)}" if request.query else ""
    url = f"{api}{request.path}{query}"
    if len(url) > LONGEST_URL:
        raise ValueError("a handle, a profile or a search that is too long for a URL")
    return url


def valid_handle(text: str) -> str:
    """The handle, which may come from a page. Raises ValueError for what cannot be one, and for an
    admin's id: at the same address it would open somebody else's call."""
    if not HANDLE.fullmatch(text):
        raise ValueError("not the handle of a call")
    if CALL_ID.fullmatch(text):
        raise ValueError("the id of a call is not its handle: see `admin`")
    return text


def valid_call_id(text: str) -> str:
    """The id of a call on record. Raises ValueError."""
    if not CALL_ID.fullmatch(text):
        raise ValueError("not the id of a call, such as 20261126-43200000-0123456789ab")
    return text


def call_url(reply: Reply) -> str:
    """The call's URL in `Location`, which is relative to the request's. Raises KeyError."""
    return urljoin(reply.url, reply.headers["location"])


def handle_in(url: str) -> str:
    """The handle in a call's URL. Raises ValueError."""
    return valid_handle(urlsplit(url).path.rpartition("/")[2])
