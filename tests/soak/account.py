"""What was sent and what came back, and which of it should not have been. Pure.

Times are seconds of one monotonic clock. An answer is right if the contract (`/api/openapi.json`)
documents it for its route, and if what it blames was in trouble at that time. None at all is right
from a host that was killed while the request was under way, or was down when it was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.api.openapi.document import document
from shared.api.openapi.operations import UPSTREAM as UPSTREAM_CODES

NOTHING = "no answer"
INFINITE = float("inf")
PATHS = {
    "connect": ("/connect", "post"),
    "conversation": ("/connect", "post"),
    "broken offer": ("/connect", "post"),
    "nobody": ("/connect", "post"),
    "foreign page": ("/connect", "post"),
    "token": ("/token", "post"),
    "hang up": ("/calls/{handle}/hangup", "post"),
    "look": ("/calls/{handle}", "get"),
    "list": ("/calls", "get"),
}
ONLY: Mapping[str, frozenset[str]] = {
    "nobody": frozenset({"401 sign_in_required"}),
    "foreign page": frozenset({"403 origin_not_allowed"}),
    "broken offer": frozenset({"400 offer_without_audio"}),
}
"""Mistakes, and the one answer to each, whatever else is in trouble."""
BLAMED = {
    "storage_unavailable": "storage",
    "ledger_busy": "storage",
    "vault_unavailable": "a value",
    "vault_secret_unavailable": "a value",
    "credential_unavailable": "nothing",
    "call_not_found": "nothing",
}
"""What a code says is away. Of the vault and the identity the last values are kept, so nothing is
ever missed of them but by a host that has none yet. The codes of the model's endpoint, which is in
trouble all the time, need no reason."""
UPSTREAM = frozenset(code for code in UPSTREAM_CODES if code not in BLAMED)
SETTLED = 5.0
"""So long after its start a host may be without the vault's values: nobody may have asked it."""
AFTERWARDS = 5.0
"""So long may storage still be missed after it came back: a try and its pause (shared/storage)."""


@dataclass(slots=True)
class Request:
    """One request to one host. `number` is also the session id of its offer, if it has one."""

    number: int
    kind: str
    host: int
    began: float
    ended: float = INFINITE
    status: int = 0
    code: str = ""
    error: str = ""

    @property
    def outcome(self) -> str:
        return f"{self.status} {self.code}".strip() if self.status else NOTHING


@dataclass(slots=True)
class Trouble:
    """Something was away: `storage`, `vault`, `upstream`, or a host by its number."""

    what: str | int
    since: float
    until: float = INFINITE


@dataclass
class Account:
    """All requests of a run, and all that was in trouble meanwhile."""

    requests: list[Request] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def send(self, kind: str, host: int, now: float) -> Request:
        """A request is on its way from now on."""
        request = Request(len(self.requests) + 1, kind, host, now)
        self.requests.append(request)
        return request

    def trouble(self, what: str | int, now: float) -> Trouble:
        """Something is away from now on, until its `until` is set."""
        found = Trouble(what, now)
        self.troubles.append(found)
        return found

    def came(self) -> dict[str, dict[str, int]]:
        """How often each outcome came to each kind."""
        found: dict[str, Counter[str]] = {}
        for request in self.requests:
            found.setdefault(request.kind, Counter())[request.outcome] += request.ended < INFINITE
        return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}

    def sent(self) -> dict[str, int]:
        """How many of each kind were sent."""
        return dict(sorted(Counter(request.kind for request in self.requests).items()))

    def wrong(self) -> list[str]:
        """What should not have been: one line for each kind and reason, with when it came first."""
        start = min((request.began for request in self.requests), default=0.0)
        found: dict[str, list[float]] = {}
        for request in self.requests:
            if why := self.objection(request):
                found.setdefault(f"{request.kind}: {why}", []).append(request.began - start)
        return [
            f"{line} ({len(when)} times, first {when[0]:.1f} s after the first request)"
            for line, when in sorted(found.items())
        ]

    def objection(self, request: Request) -> str:
        """Why that request should not have ended so; empty if it may."""
        if request.ended == INFINITE:
            return "never came back"
        if not request.status:
            return "" if self.killed(request) else f"{NOTHING} of a living host ({request.error})"
        if request.code == "internal_error":
            return f"{request.outcome}: a mistake of the broker"
        only = ONLY.get(request.kind)
        if request.outcome not in (only or documented(*PATHS[request.kind])):
            return f"{request.outcome} is not what is documented"
        blamed = BLAMED.get(request.code, "upstream" if request.code in UPSTREAM else "")
        if blamed == "a value" and not self.started_without(request):
            return f"{request.outcome} of a host that has the last value"
        if blamed not in ("", "a value") and not self.away(blamed, request):
            return f"{request.outcome}, and {blamed} was there"
        return ""

    def started_without(self, request: Request) -> bool:
        """Whether its host has no last value of the vault's: it was started while the vault was
        away, or just before."""
        return any(
            vault.since - SETTLED <= start.until <= min(vault.until, request.ended)
            for vault in self.troubles
            if vault.what == "vault" and during(vault, request)
            for start in self.troubles
            if start.what == request.host
        )

    def killed(self, request: Request) -> bool:
        """Whether its host was killed under it, or was down when it was sent."""
        return any(
            trouble.what == request.host
            and (
                request.began <= trouble.since <= request.ended
                or trouble.since <= request.began < trouble.until
            )
            for trouble in self.troubles
        )

    def away(self, what: str, request: Request) -> bool:
        """Whether that was away during the request, or a moment before."""
        return any(trouble.what == what and during(trouble, request) for trouble in self.troubles)


def during(trouble: Trouble, request: Request) -> bool:
    """Whether it was there during the request, or a moment before."""
    return trouble.since <= request.ended and request.began <= trouble.until + AFTERWARDS


def documented(path: str, method: str) -> frozenset[str]:
    """The answers that the contract has for one method of a path, as `Request.outcome` has them."""
    return DOCUMENTED[path, method]


def outcomes(responses: Mapping[str, Mapping[str, object]]) -> Iterable[str]:
    for status, response in responses.items():
        codes = codes_of(response)
        if int(status) < 400:
            yield status
        yield from (f"{status} {code}" for code in codes)


def codes_of(response: Mapping[str, object]) -> list[str]:
    """The problem codes that a response of the contract may carry."""
    found: object = response
    for name in ("content", "application/problem+json", "schema", "allOf"):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return [
        str(code)
        for part in (found if isinstance(found, list) else [])
        for code in part.get("properties", {}).get("code", {}).get("enum", [])
    ]


DOCUMENTED = {
    (path, method): frozenset(outcomes(operation["responses"]))
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
}
