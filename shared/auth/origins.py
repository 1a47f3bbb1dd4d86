"""Which web pages may use the broker.

A browser says where a request comes from in headers that a page cannot set: `Sec-Fetch-Site` and
`Origin`. Requests with neither do not come from a page (but from a program, which could send
anything: there the caller's authentication is all that counts) or are same-origin GETs of browsers
older than 2023. They are let through to authentication.

Behind Static Web Apps the broker's own host name is not the page's. The page's is in
`X-MS-Original-URL` and `X-Forwarded-Host`, which a page of another origin cannot set either: that
would need a preflight's consent. Preflights of listed origins may ask for any header but those in
which platforms and proxies say who calls, and from where (`is_platform_header`).

Headers are passed in with lower-case names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from shared.core.origin import is_web_origin, normalize_origin
from shared.core.problems import Problem

METHODS = "GET, POST, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, X-Caller-Token, X-Request-Id"
"""What a preflight that asks for no header is told."""
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]{1,128}")
MOST_HEADERS = 64
LONGEST_REQUEST = 8 * 1024
PLATFORM_HEADERS = (
    *("forwarded", "x-forwarded-", "x-original-", "x-real-ip", "x-client-ip", "client-ip"),
    *("x-ms-client-principal", "x-ms-original-", "x-ms-token-", "x-ms-auth-"),
    *("x-arr-", "x-azure-", "x-appservice-", "x-waws-", "x-site-", "disguised-host", "was-"),
)
"""How the names of headers begin that are a platform's or a proxy's to set."""
VOICE_API = "X-Voice-Api"
"""Says which API a call that has started speaks: `realtime` or `live`."""
CONVERSATION = "X-Conversation"
"""Says whether a call that has started begins with what was said before: `continued` or `new`."""
EXPOSED_HEADERS = f"Location, Retry-After, X-Request-Id, {VOICE_API}, {CONVERSATION}"
PREFLIGHT_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CrossOriginPolicy:
    """The origins whose pages may use the broker, besides its own.

    `credentials` lets pages of those origins send cookies; callers who authenticate with a token in
    a header do not need it.
    """

    allowed: frozenset[str] = frozenset()
    credentials: bool = False

    @classmethod
    def of(cls, allowed: Iterable[str], *, credentials: bool = False) -> CrossOriginPolicy:
        """From origins in any spelling. Raises ValueError."""
        return cls(frozenset(normalize_origin(origin) for origin in allowed), credentials)

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raises Problem origin_not_allowed for a request of a page that may not use the broker."""
        if self.listed_origin(headers) is not None:
            return
        site = headers.get("sec-fetch-site")
        if site is not None:
            # "none" is a navigation by the user: an address typed in, a bookmark.
            if site.strip().lower() in ("same-origin", "none"):
                return
            raise Problem("origin_not_allowed")
        origin = headers.get("origin")
        if origin is not None and not is_own_origin(origin, headers):
            raise Problem("origin_not_allowed")

    def response_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The CORS headers of a response, refusals included, to a request with `headers`.

        They let pages of listed origins read it and grant nothing to others; `Vary` keeps caches
        from mixing the two.
        """
        if not self.allowed:
            return {}
        origin = self.listed_origin(headers)
        if origin is None:
            return {"Vary": "Origin"}
        found = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
            "Vary": "Origin",
        }
        if self.credentials:
            found["Access-Control-Allow-Credentials"] = "true"
        return found

    def preflight_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of the 204 that answers an OPTIONS request of a listed origin.

        Raises Problem origin_not_allowed for any other; the broker's own pages send none.
        """
        if self.listed_origin(headers) is None:
            raise Problem("origin_not_allowed")
        return {
            **self.response_headers(headers),
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": allowed_headers(
                headers.get("access-control-request-headers", "")
            ),
            "Access-Control-Max-Age": str(int(PREFLIGHT_AGE.total_seconds())),
        }

    def listed_origin(self, headers: Mapping[str, str]) -> str | None:
        """The request's origin exactly as it was sent, if it is on the list."""
        origin = headers.get("origin")
        return origin if origin is not None and origin in self.allowed else None


def allowed_headers(requested: str) -> str:
    """What a preflight may use of the header names in Access-Control-Request-Headers.

    Libraries add headers of their own (`traceparent`, `x-stainless-…`, `X-OpenAI-Agents-SDK`), and
    a fixed list would block their pages. The broker ignores headers that it does not know.
    """
    if len(requested) > LONGEST_REQUEST:
        return REQUEST_HEADERS
    names = [name.strip() for name in requested.split(",")][:MOST_HEADERS]
    usable = [
        name for name in names if HEADER_NAME.fullmatch(name) and not is_platform_header(name)
    ]
    return ", ".join(dict.fromkeys(usable)) or REQUEST_HEADERS


def is_platform_header(name: str) -> bool:
    """Whether a header is a platform's or a proxy's to set, and never a page's."""
    return name.lower().startswith(PLATFORM_HEADERS)


def is_own_origin(origin: str, headers: Mapping[str, str]) -> bool:
    """Whether `origin` is the one that the request was sent to."""
    try:
        own = normalize_origin(origin)
        if not is_web_origin(own):
            # An app's origin has a host that is no name on the network: `capacitor://localhost`.
            return False
        wanted = urlsplit(own)
        original = urlsplit(headers.get("x-ms-original-url", "")).netloc
        given = original or headers.get("x-forwarded-host") or headers.get("host", "")
        return urlsplit(normalize_origin(f"{wanted.scheme}://{given}")).netloc == wanted.netloc
    except ValueError:
        return False
