"""Injected faults: the script's `faults`, per route."""

from __future__ import annotations

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
DEFAULT_MESSAGE = (
    "InternalServerError",
    "The server had an error while processing your request.",
)


class ConnectionReset(Exception):
    """The connection was reset without a response."""


@dataclass(frozen=True, slots=True)
class SidebandDrop:
    """Close a sideband `after` a delay; `hard` skips the closing handshake."""

    after: timedelta
    hard: bool


class FaultInjector:
    """Matches requests against the script's faults, and counts them for `times` and `every`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.hits: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        """Clears the counts, for a new script."""
        self.hits.clear()

    async def inject_fault(self, route: str, request: web.Request) -> SidebandDrop | None:
        """Applies the fault, if any, that the script has for this request.

        Returns what is to happen to a sideband later. Raises ApiError or ConnectionReset.
        """
        for fault in self.services.script.faults(route):
            if not self.is_due(route, fault):
                continue
            await asyncio.sleep(fault.get("delay_seconds", 0))
            if "drop_after_seconds" in fault:
                after = timedelta(seconds=fault["drop_after_seconds"])
                return SidebandDrop(after, hard=fault.get("reset", False))
            if fault.get("reset"):
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionReset
            if "status" in fault:
                raise self.error_for(fault)
        return None

    def is_due(self, route: str, fault: dict[str, Any]) -> bool:
        key = (route, json.dumps(fault, sort_keys=True))
        self.hits[key] += 1
        if "every" in fault:
            return self.hits[key] % int(fault["every"]) == 0
        return "times" not in fault or self.hits[key] <= int(fault["times"])

    def error_for(self, fault: dict[str, Any]) -> errors.ApiError:
        code, message = MESSAGES.get(fault["status"], DEFAULT_MESSAGE)
        headers = {}
        if "retry_after" in fault:
            headers["Retry-After"] = str(fault["retry_after"])
        return errors.gateway_error(
            self.services.provider,
            fault["status"],
            fault.get("code", code),
            fault.get("message", message),
            headers,
        )
