"""Pooled keep-alive HTTP sessions that read the environment once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

POOLED_CONNECTIONS = 256


def authorities() -> str | None:
    """The CA bundle that the environment names, found as requests does it; None if none."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def open_session(endpoint: str) -> requests.Session:
    """A pooled keep-alive session for `endpoint`.

    The environment's proxy and CA bundle are read once, here. By default requests reads them for
    each request, and ~/.netrc too, which would replace the Authorization header.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    session = requests.Session()
    session.trust_env = False
    session.proxies.update(get_environ_proxies(endpoint))
    session.verify = authorities() or True
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=POOLED_CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
