"""The requests made to the emulator, for tests to inspect. Never a credential."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web

from realtime_emulator.script.script import ROUTES

SAFETY_IDENTIFIER = "OpenAI-Safety-Identifier"


class RequestLog:
    """Requests per route, responses per status, and the last request of each route."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.requests: Counter[str] = Counter(dict.fromkeys(ROUTES, 0))
        self.answers: dict[str, Counter[str]] = {route: Counter() for route in ROUTES}
        self.last: dict[str, dict[str, Any]] = {}
        self.expires_after: dict[str, Any] | None = None
        self.minted = 0

    def add_request(self, route: str, request: web.Request) -> None:
        """Counts a request. Keeps its headers' names and the safety identifier only."""
        self.requests[route] += 1
        self.last[route] = {
            "headers": sorted({name.lower() for name in request.headers}),
            "query": sorted(request.query),
            "safety_identifier": request.headers.get(SAFETY_IDENTIFIER),
        }

    def count_answer(self, route: str, status: int | str) -> None:
        self.answers[route][str(status)] += 1

    def snapshot(self) -> dict[str, Any]:
        return {
            "requests": dict(self.requests),
            "answers": {route: dict(counts) for route, counts in self.answers.items()},
            "last": self.last,
            "keys": {"minted": self.minted, "last_expires_after": self.expires_after},
        }
