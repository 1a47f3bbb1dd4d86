"""What was sent, what came back, what was unavailable meanwhile, and which answers are wrong. Pure.

Times are seconds of one monotonic clock. An answer is right if the contract (`/api/openapi.json`)
documents it for its route, and if what it blames was unavailable at that time. No answer is right
from a host that was killed while the request was in flight, or was down when it was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.api.openapi.builders import UPSTREAM as UPSTREAM_CODES
from shared.api.openapi.document import document

NO_ANSWER = "no answer"
PENDING = float("inf")
UPSTREAM_HOST = 0
"""Stands for the model's endpoint where a request names its host."""
WITH_KEY = "call with a key"
"""What a page sends to the model's endpoint itself."""
PATHS = {
    "connect": ("/connect", "post"),
    "conversation": ("/connect", "post"),
    "invalid offer": ("/connect", "post"),
    "not signed in": ("/connect", "post"),
    "foreign origin": ("/connect", "post"),
    "token": ("/token", "post"),
    "hang up": ("/calls/{handle}/hangup", "post"),
    "look up": ("/calls/{handle}", "get"),
    "list": ("/calls", "get"),
    "health": ("/health", "get"),
    "hostile conversation": ("/connect", "post"),
    "burst": ("/connect", "post"),
    "hostile key": ("/token", "post"),
    "register": ("/calls", "post"),
    "register more": ("/calls", "post"),
    "made-up id with a key": ("/calls", "post"),
    "made-up id": ("/calls", "post"),
    "another's call": ("/calls", "post"),
    "another's handle": ("/calls/{handle}/hangup", "post"),
}
ONLY: Mapping[str, frozenset[str]] = {
    "not signed in": frozenset({"401 sign_in_required"}),
    "foreign origin": frozenset({"403 origin_not_allowed"}),
    "invalid offer": frozenset({"400 offer_without_audio"}),
    "another's handle": frozenset({"404 call_not_found"}),
}
"""Bad requests, and the one answer to each, whatever is unavailable but the vault's values."""
NOTHING_ELSE: Mapping[str, str] = {
    "register": "201",
    "made-up id": "403 registration_refused",
    "another's call": "403 registration_refused",
}
"""The one answer to each, unless something is unavailable."""
BLAMES = {
    "storage_unavailable": "storage",
    "ledger_busy": "storage",
    "vault_unavailable": "a value",
    "vault_secret_unavailable": "a value",
}
"""What each code says is unavailable. The last values of the vault and the identity are kept, so
they are only ever missing on a host that has none yet. The codes of the model's endpoint, which has
faults all the time, need no reason."""
NEVER_RIGHT = frozenset({"credential_unavailable", "call_not_found"})
"""Documented, but nothing in a soak excuses them."""
UPSTREAM = frozenset(code for code in UPSTREAM_CODES if code not in BLAMES)
FIRST_READ = 5.0
"""How long after its start a host may lack the vault's values: nothing may have asked for them."""
RECOVERY = 5.0
"""How long storage may still be unavailable after it came back: a try and its pause
(shared/storage)."""


@dataclass(slots=True)
class SentRequest:
    """One request to one host. `number` is also the session id of its offer, if it has one; `user`
    is whose call or key it asks for."""

    number: int
    kind: str
    host: int
    began: float
    ended: float = PENDING
    status: int = 0
    code: str = ""
    error: str = ""
    user: str = ""

    @property
    def outcome(self) -> str:
        return f"{self.status} {self.code}".strip() if self.status else NO_ANSWER


@dataclass(slots=True)
class Outage:
    """Something was unavailable: `storage`, `vault`, `upstream`, `sidebands`, or a host by its
    number."""

    what: str | int
    since: float
    until: float = PENDING

    def overlaps(self, since: float, until: float) -> bool:
        """Whether it lasted into that time, its recovery included."""
        return self.since <= until and since <= self.until + RECOVERY


@dataclass
class Journal:
    """All requests and all outages of a run."""

    requests: list[SentRequest] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def add_request(self, kind: str, host: int, now: float, user: str = "") -> SentRequest:
        """A request that is in flight from now on."""
        request = SentRequest(len(self.requests) + 1, kind, host, now, user=user)
        self.requests.append(request)
        return request

    def add_outage(self, what: str | int, now: float) -> Outage:
        """An outage from now on, until its `until` is set."""
        outage = Outage(what, now)
        self.outages.append(outage)
        return outage

    def outcomes(self) -> dict[str, dict[str, int]]:
        """How often each kind of request had each outcome."""
        found: dict[str, Counter[str]] = {}
        for request in self.requests:
            found.setdefault(request.kind, Counter())[request.outcome] += request.ended < PENDING
        return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}

    def sent(self) -> dict[str, int]:
        """How many of each kind were sent."""
        return dict(sorted(Counter(request.kind for request in self.requests).items()))

    def wrong_answers(self) -> list[str]:
        """One line for each kind and objection, with when it happened first."""
        start = min((request.began for request in self.requests), default=0.0)
        found: dict[str, list[float]] = {}
        for request in self.requests:
            if objection := self.objection_to(request):
                found.setdefault(f"{request.kind}: {objection}", []).append(request.began - start)
        return [
            f"{line} ({len(when)} times, first {when[0]:.1f} s after the first request)"
            for line, when in sorted(found.items())
        ]

    def objection_to(self, request: SentRequest) -> str:
        """Why that request should not have ended so; empty if it may."""
        if request.ended == PENDING:
            return "never came back"
        if request.kind == WITH_KEY:
            # The endpoint's own answers are none of the broker's.
            return ""
        if not request.status:
            up = not self.host_was_down(request)
            return f"{NO_ANSWER} from a running host ({request.error})" if up else ""
        if request.code == "internal_error":
            return f"{request.outcome}: a bug in the broker"
        blamed = BLAMES.get(request.code, "upstream" if request.code in UPSTREAM else "")
        only = ONLY.get(request.kind, frozenset())
        if request.outcome in only:
            return ""
        if (only and blamed != "a value") or request.outcome not in documented(
            *PATHS[request.kind]
        ):
            return f"{request.outcome} is not documented"
        if request.code in NEVER_RIGHT:
            return f"{request.outcome}, for which there is no excuse"
        expected = NOTHING_ELSE.get(request.kind)
        if expected and not blamed and request.outcome != expected:
            return f"{request.outcome} instead of {expected}"
        if blamed == "a value" and not self.host_has_no_value(request):
            return f"{request.outcome} from a host that has the last value"
        if blamed not in ("", "a value") and not self.was_unavailable(blamed, request):
            return f"{request.outcome}, and {blamed} was available"
        return ""

    def host_has_no_value(self, request: SentRequest) -> bool:
        """Whether its host was started while the vault was unavailable, or just before, and so has
        no last value."""
        return any(
            vault.since - FIRST_READ <= start.until <= min(vault.until, request.ended)
            for vault in self.outages
            if vault.what == "vault" and vault.overlaps(request.began, request.ended)
            for start in self.outages
            if start.what == request.host
        )

    def host_was_down(self, request: SentRequest) -> bool:
        """Whether its host was killed meanwhile, or was down when it was sent."""
        return any(
            outage.what == request.host
            and (
                request.began <= outage.since <= request.ended
                or outage.since <= request.began < outage.until
            )
            for outage in self.outages
        )

    def was_unavailable(self, what: str, request: SentRequest) -> bool:
        """Whether that was unavailable during the request, or a moment before."""
        return any(
            outage.what == what and outage.overlaps(request.began, request.ended)
            for outage in self.outages
        )

    def anything_unavailable(self, since: float, until: float, *more: str) -> bool:
        """Whether storage, the vault, a host, or what is named besides was unavailable in that
        time."""
        return any(
            outage.overlaps(since, until)
            for outage in self.outages
            if outage.what not in ("upstream", "sidebands") or outage.what in more
        )


def documented(path: str, method: str) -> frozenset[str]:
    """What the contract documents for one method of a path, as `SentRequest.outcome` has it."""
    return DOCUMENTED[path, method]


def outcomes_of(responses: Mapping[str, Mapping[str, object]]) -> Iterable[str]:
    for status, response in responses.items():
        if int(status) < 400:
            yield status
        yield from (f"{status} {code}" for code in problem_codes(response))


def problem_codes(response: Mapping[str, object]) -> list[str]:
    """Those that a response of the contract may carry."""
    found: object = response
    for name in ("content", "application/problem+json", "schema", "allOf"):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return [
        str(code)
        for part in (found if isinstance(found, list) else [])
        for code in part.get("properties", {}).get("code", {}).get("enum", [])
    ]


DOCUMENTED = {
    (path, method): frozenset(outcomes_of(operation["responses"]))
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
}
