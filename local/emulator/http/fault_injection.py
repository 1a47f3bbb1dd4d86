"""Faults on demand: the script's `faults`, route by route."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from local.emulator.call.services import Services
from local.emulator.protocol import errors

MESSAGES = {
    401: ("PermissionDenied", "Principal does not have access to API/Operation."),
    403: ("Forbidden", "The resource is not in a supported region."),
    404: ("NotFound", "Resource not found."),
    408: ("Timeout", "The operation was timeout."),
    429: ("RateLimitReached", "Too many requests. Please retry later."),
}
ELSE = ("InternalServerError", "The server had an error while processing your request.")


class Reset(Exception):
    """The connection was cut without an answer."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A sideband to be lost `after` a while; `hard` without a closing handshake."""

    after: timedelta
    hard: bool


class Faults:
    """Counts requests against the script's faults."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.hits: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        """Forgets what was counted, for a new script."""
        self.hits.clear()

    async def strike(self, route: str, request: web.Request) -> Drop | None:
        """Whatever the script has for this request; nothing, mostly.

        Raises:
            Refused, Reset
        """
        for fault in self.services.script.faults(route):
            if not self.due(route, fault):
                continue
            await asyncio.sleep(fault.get("delay_seconds", 0))
            if "drop_after_seconds" in fault:
                after = timedelta(seconds=fault["drop_after_seconds"])
                return Drop(after, hard=fault.get("reset", False))
            if fault.get("reset"):
                if request.transport is not None:
                    request.transport.abort()
                raise Reset
            if "status" in fault:
                raise self.refusal(fault)
        return None

    def due(self, route: str, fault: dict[str, Any]) -> bool:
        seen = (route, json.dumps(fault, sort_keys=True))
        self.hits[seen] += 1
        if "every" in fault:
            return self.hits[seen] % int(fault["every"]) == 0
        return "times" not in fault or self.hits[seen] <= int(fault["times"])

    def refusal(self, fault: dict[str, Any]) -> errors.ApiError:
        code, message = MESSAGES.get(fault["status"], ELSE)
        headers = {}
        if "retry_after" in fault:
            headers["Retry-After"] = str(fault["retry_after"])
        return errors.by_gateway(
            self.services.provider,
            fault["status"],
            fault.get("code", code),
            fault.get("message", message),
            headers,
        )
