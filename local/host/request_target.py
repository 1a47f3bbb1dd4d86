"""A request's target, judged and simplified as Kestrel does it, the web server of the real host.

The rules are those of ASP.NET Core 8 to 10 (Kestrel's Http1Connection and PathNormalizer): dot
segments are removed before anything is routed, an absolute target must name the host of the Host
header, and `*` and an authority belong to OPTIONS and CONNECT alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from realtime_emulator.serving.trusted_hosts import (
    MALFORMED,
    MISDIRECTED,
    is_loopback,
    normalize_host,
)

NOTHING: Mapping[str, str] = {}
# RFC 3986's host without the characters that Windows' HTTP.sys refuses.
HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{3,}\]|[0-9A-Za-z!$&'()\-._~]+)(?::[0-9]+)?|")
AUTHORITY = re.compile(r"[0-9A-Za-z:.\[\]@]+")
ABSOLUTE = re.compile(
    r"(?P<scheme>https?)://(?:[^/?#@]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[^?#]*)?(?:[?#].*)?",
    re.DOTALL,
)
DEFAULT_PORTS = {"http": "80", "https": "443"}


class RefusedRequest(Exception):
    """What the real host refuses without asking the app, with a status and no body."""

    def __init__(self, status: int = 400, headers: Mapping[str, str] = NOTHING) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.headers = headers


def is_valid_host(host: str) -> bool:
    """Whether Kestrel accepts this Host header. An empty one is valid."""
    return HOST.fullmatch(host) is not None


def resolve_target(method: str, target: str, host: str | None) -> str:
    """The path and query that a target means, or "" for one that means no path.

    `host` is the Host header, None if there is none, which only HTTP/1.0 may lack. Raises
    RefusedRequest.
    """
    if target.startswith("/"):
        resolved = resolve_path(target)
    elif target == "*":
        require_method(method, "OPTIONS")
        resolved = ""
    elif target.startswith(("http://", "https://")):
        resolved = resolve_absolute(target, host)
    else:
        if AUTHORITY.fullmatch(target) is None:
            raise RefusedRequest
        require_method(method, "CONNECT")
        if host != target:
            raise RefusedRequest
        resolved = ""
    if not is_valid_host(host or ""):
        raise RefusedRequest
    return resolved


def require_method(method: str, required: str) -> None:
    if method != required:
        raise RefusedRequest(405, {"Allow": required})


def resolve_absolute(target: str, host: str | None) -> str:
    found = ABSOLUTE.fullmatch(target)
    if found is None:
        raise RefusedRequest
    name, default = found["host"].lower(), DEFAULT_PORTS[found["scheme"]]
    port = found["port"] or default
    allowed = {f"{name}:{port}", name} if port == default else {f"{name}:{port}"}
    if host is not None and host not in allowed:
        # Kestrel answers 400 to all. Another machine's name is for the trusted hosts to refuse.
        raise RefusedRequest(MALFORMED if is_loopback(normalize_host(name)) else MISDIRECTED)
    query = target.partition("?")[1:]
    return resolve_path((found["path"] or "/") + "".join(query))


def resolve_path(target: str) -> str:
    """Removes the dot segments of a path, escaped ones too; the query stays. Raises
    RefusedRequest."""
    path, mark, query = target.partition("?")
    if "%00" in path:
        raise RefusedRequest
    if "/." in path or "%2" in path:
        path = remove_dot_segments(path)
    return path + mark + query


def remove_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        plain = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if plain not in (".", ".."):
            kept.append(segment)
            continue
        if plain == ".." and kept:
            kept.pop()
        if position == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)
