"""From which web pages the broker may be used.

A browser says where a request comes from in headers that the page cannot write: `Sec-Fetch-Site`,
and `Origin`. Requests with neither come from no page (a program, which could write anything into
them: there the caller's proof of identity is all that counts) or are same-origin GETs of browsers
older than 2023, and are let through to that proof.

Behind Static Web Apps the broker's own host name is not the page's. What the page's was stands in
`X-MS-Original-URL` and `X-Forwarded-Host`, which a page of another origin cannot set either: they
would need a preflight's consent, and none is given here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from shared.config.env import normalize_origin
from shared.core.problems import Problem

METHODS = "GET, POST, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, X-Caller-Token, X-Request-Id"
ANSWER_HEADERS = "Location, Retry-After, X-Request-Id"
PREFLIGHT_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CrossOriginPolicy:
    """The origins whose pages may use the broker, besides its own.

    `credentials` lets pages of those origins send cookies; callers who prove themselves with a
    token in a header do not need it.
    """

    allowed: frozenset[str] = frozenset()
    credentials: bool = False

    @classmethod
    def of(cls, allowed: Iterable[str], *, credentials: bool = False) -> CrossOriginPolicy:
        """From origins in any spelling. Raises ValueError."""
        return cls(frozenset(normalize_origin(origin) for origin in allowed), credentials)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises Problem origin_not_allowed for a request of a page that may not."""
        small = {name.lower(): value for name, value in headers.items()}
        if self.listed(small) is not None:
            return
        site = small.get("sec-fetch-site")
        if site is not None:
            # "none" is the user's own doing: an address typed in, a bookmark.
            if site.strip().lower() in ("same-origin", "none"):
                return
            raise Problem("origin_not_allowed")
        origin = small.get("origin")
        if origin is not None and not is_own(origin, small):
            raise Problem("origin_not_allowed")

    def answer_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What an answer, a refusal too, must carry so that a page of a listed origin may read it.

        Empty of permissions for everybody else. Caches must keep the two apart.
        """
        if not self.allowed:
            return {}
        small = {name.lower(): value for name, value in headers.items()}
        origin = self.listed(small)
        if origin is None:
            return {"Vary": "Origin"}
        found = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": ANSWER_HEADERS,
            "Vary": "Origin",
        }
        if self.credentials:
            found["Access-Control-Allow-Credentials"] = "true"
        return found

    def preflight(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of the 204 that answers an OPTIONS request of a listed origin.

        Raises Problem origin_not_allowed for any other; own pages send none.
        """
        small = {name.lower(): value for name, value in headers.items()}
        if self.listed(small) is None:
            raise Problem("origin_not_allowed")
        return {
            **self.answer_headers(small),
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": REQUEST_HEADERS,
            "Access-Control-Max-Age": str(int(PREFLIGHT_AGE.total_seconds())),
        }

    def listed(self, headers: Mapping[str, str]) -> str | None:
        """The request's origin exactly as it was sent, if it is on the list."""
        origin = headers.get("origin")
        return origin if origin is not None and origin in self.allowed else None


def is_own(origin: str, headers: Mapping[str, str]) -> bool:
    """Whether `origin` is where the page's requests to this broker went."""
    try:
        wanted = urlsplit(normalize_origin(origin))
        original = urlsplit(headers.get("x-ms-original-url", "")).netloc
        given = original or headers.get("x-forwarded-host") or headers.get("host", "")
        return urlsplit(normalize_origin(f"{wanted.scheme}://{given}")).netloc == wanted.netloc
    except ValueError:
        return False
