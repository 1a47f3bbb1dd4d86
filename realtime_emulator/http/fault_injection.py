"""Injected faults: the script's `faults`, per route."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from realtime_emulator.call.services import Services
from realtime_emulator.live import http_errors
from realtime_emulator.protocol import errors
from realtime_emulator.script.script import LIVE_ROUTES
from realtime_emulator.serving.reset import reset_connection

Fault = Mapping[str, Any]
"""The fields of a fault, as in the script; empty if there is none."""

FAULT: web.RequestKey[Fault] = web.RequestKey("fault", Mapping)
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


LIVE_MESSAGES = {
    401: ("invalid_api_key", "Incorrect API key provided."),
    403: ("forbidden", "You may not use this model."),
    429: ("rate_limit_exceeded", "You have reached your limit of concurrent Live sessions."),
}
LIVE_DEFAULT = ("server_error", "The server had an error while processing your request.")


class ConnectionReset(Exception):
    """The connection was reset without a response."""


class FaultInjector:
    """Matches requests against the script's faults, and counts them for `times` and `every`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.hits: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        """Clears the counts, for a new script."""
        self.hits.clear()

    async def inject_fault(self, route: str, request: web.Request) -> Fault:
        """Applies what the script has for this request before it is handled.

        Returns the fault, whose other fields concern the response or the connection. Raises
        ConnectionReset.
        """
        for fault in self.services.script.faults(route):
            if not self.is_due(route, fault):
                continue
            await asyncio.sleep(fault.get("delay_seconds", 0))
            if fault.get("reset") and not CONCERN_LATER & fault.keys():
                reset_connection(request.transport)
                raise ConnectionReset
            if CONCERN_LATER & fault.keys() or "status" in fault:
                return fault
        return {}

    def is_due(self, route: str, fault: Fault) -> bool:
        key = (route, json.dumps(fault, sort_keys=True))
        self.hits[key] += 1
        if "every" in fault:
            return self.hits[key] % int(fault["every"]) == 0
        return "times" not in fault or self.hits[key] <= int(fault["times"])

    def error_for(self, route: str, fault: Fault) -> errors.ApiError:
        """The refusal that a fault with a `status` is."""
        if route in LIVE_ROUTES:
            return live_error_for(fault)
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


def live_error_for(fault: Fault) -> errors.ApiError:
    """The same on a route of GPT-Live, which has one shape for both providers."""
    if fault["status"] == 404 and "code" not in fault and "message" not in fault:
        return http_errors.no_session()
    code, message = LIVE_MESSAGES.get(fault["status"], LIVE_DEFAULT)
    headers = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
    return http_errors.refusal(
        fault["status"],
        fault.get("code", code),
        fault.get("message", message),
        kind="invalid_request_error" if fault["status"] < 500 else "server_error",
        headers=headers,
    )


CONCERN_LATER = frozenset(
    {
        "drip_seconds",
        "drop_after_events",
        "drop_after_seconds",
        "forget_after_seconds",
        "reply",
        "send",
    }
)
"""Fields that take effect after the request was handled or the sideband accepted."""
