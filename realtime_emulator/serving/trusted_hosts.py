"""Which names a local server answers to, and which pages may drive it.

A page of another site can give its own name the address 127.0.0.1 (DNS rebinding). To the browser,
a server on this machine is then of that page's origin, and only the Host header tells. A page that
does not go that far can still post forms: those carry `Origin` or `Sec-Fetch-Site`, which a page
cannot set.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web

AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:@/\\?#\[\]]+)(?::\d{1,5})?")
MALFORMED, MISDIRECTED = 400, 421
REASONS = {
    MALFORMED: "The Host header is missing or malformed.",
    MISDIRECTED: "This server answers to localhost only. Start it with --allow-host NAME to add a "
    "name.",
}


def normalize_host(name: str) -> str:
    """A host name or address without brackets, in lower case."""
    return name.strip("[]").lower()


@lru_cache(maxsize=256)
def host_of(authority: str) -> str | None:
    """The host of `host` or `host:port`; None if it is neither."""
    match = AUTHORITY.fullmatch(authority)
    return normalize_host(match[1]) if match else None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """The names of this machine, and `names` besides. Ports do not matter.

    `nameless`: a request without a name is answered too. No browser sends one.
    """

    names: frozenset[str] = frozenset()
    nameless: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> TrustedHosts:
        return cls(frozenset(normalize_host(name) for name in names))

    def trusts(self, host: str | None) -> bool:
        return host is not None and (host in self.names or is_loopback(host))

    def refusal_status(self, request: web.Request) -> int | None:
        """400 or 421 for a request that is not for this server by name, otherwise None."""
        given = request.headers.getall("Host", [])
        if self.nameless and not given:
            return None
        if len(given) != 1 or host_of(given[0]) is None:
            return MALFORMED
        if not self.trusts(host_of(given[0])):
            return MISDIRECTED
        if not request.raw_path.startswith("/"):  # absolute form: it names a host of its own
            named = urlsplit(request.raw_path).netloc
            if named and not self.trusts(host_of(named)):
                return MISDIRECTED
        return None

    def may_drive(self, request: web.Request) -> bool:
        """Whether a request comes from the server's own pages, or from no page at all."""
        site = request.headers.get("Sec-Fetch-Site", "none").strip().lower()
        if site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("Origin")
        if origin is None:
            return True
        try:
            page = urlsplit(origin)
        except ValueError:
            return False
        if page.scheme not in ("http", "https"):
            return False
        own = page.netloc.lower() == request.headers["Host"].lower()
        return own or host_of(page.netloc) in self.names
