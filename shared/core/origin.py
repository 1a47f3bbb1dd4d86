"""Origins, in the one spelling that browsers use.

Besides the web's, those of apps: `capacitor://localhost`, `ionic://localhost`, `tauri://localhost`,
`chrome-extension://<id>`, `app://…`. Such a scheme is the app's own, and its pages send it as
`Origin`.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

ORIGIN = re.compile(
    r"\A[a-z][a-z0-9+.-]{0,63}://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE
)
LONGEST = 512
"""Characters; a host name has at most 253."""
WEB_PORTS = {"http": 80, "https": 443}
NO_ORIGIN = {"about", "blob", "data", "file", "ftp", "javascript", "null", "ws", "wss"}
"""Schemes whose pages have the origin `null`, which any page can make, or that have no pages."""


def normalize_origin(origin: str) -> str:
    """An origin as browsers write it: lower-case, without a default port. Raises ValueError."""
    text = origin.strip()
    if len(text) > LONGEST or not ORIGIN.fullmatch(text):
        raise ValueError("an origin is scheme://host or scheme://host:port, nothing after it")
    parts = urlsplit(text)
    scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    if scheme in NO_ORIGIN or is_misspelt(scheme):
        raise ValueError("pages of that scheme have no origin of their own")
    name = f"[{host}]" if ":" in host else host
    if port is None or port == WEB_PORTS.get(scheme):
        return f"{scheme}://{name}"
    return f"{scheme}://{name}:{port}"


def is_web_origin(origin: str) -> bool:
    """Whether a normalised origin is that of a page on the web, not of an app."""
    return origin.startswith(("http://", "https://"))


def is_misspelt(scheme: str) -> bool:
    """`htps`, `httpss`: meant to be the web's."""
    return scheme not in WEB_PORTS and scheme.startswith("h") and set(scheme) <= set("htps")
