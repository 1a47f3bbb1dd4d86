"""Web origins, in the one spelling that browsers use."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
LONGEST = 512
"""Characters; a host name has at most 253."""
DEFAULT_PORTS = {"http": 80, "https": 443}


def normalize_origin(origin: str) -> str:
    """An origin as browsers write it: lower-case, without a default port. Raises ValueError."""
    text = origin.strip()
    if len(text) > LONGEST or not ORIGIN.fullmatch(text):
        raise ValueError("an origin is scheme://host or scheme://host:port, nothing after it")
    parts = urlsplit(text)
    scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    name = f"[{host}]" if ":" in host else host
    if port in (None, DEFAULT_PORTS[scheme]):
        return f"{scheme}://{name}"
    return f"{scheme}://{name}:{port}"
