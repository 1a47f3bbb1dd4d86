"""What was asked of the emulator, for tests to look at. Never a credential."""

from collections import Counter
from typing import Any

from aiohttp import web

from local.emulator.script.script import ROUTES

SAFETY_IDENTIFIER = "OpenAI-Safety-Identifier"


class RequestLog:
    """Counts per route, answers per status, and the last request of each route."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests: Counter[str] = Counter(dict.fromkeys(ROUTES, 0))
        self.answers: dict[str, Counter[str]] = {route: Counter() for route in ROUTES}
        self.last: dict[str, dict[str, Any]] = {}
        self.expires_after: dict[str, Any] | None = None
        self.minted = 0

    def asked(self, route: str, request: web.Request) -> None:
        """A request has come. Of its headers only the names are kept, and the safety identifier."""
        self.requests[route] += 1
        self.last[route] = {
            "headers": sorted({name.lower() for name in request.headers}),
            "query": sorted(request.query),
            "safety_identifier": request.headers.get(SAFETY_IDENTIFIER),
        }

    def answered(self, route: str, status: int | str) -> None:
        self.answers[route][str(status)] += 1

    def shown(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "answers": {route: dict(counts) for route, counts in self.answers.items()},
            "last": self.last,
            "keys": {"minted": self.minted, "last_expires_after": self.expires_after},
        }
