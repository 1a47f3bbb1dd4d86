"""The broker's routes, each with the name of its function in http_functions.py. blueprint.py adds
them to an app.

Those functions and all that answers a request are not imported with the app: Functions kills a
worker that takes long to list its functions, and other programs import the app too. They are loaded
once it has been indexed (warm_up.py), or by the first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import azure.functions as func

HttpFunction = Callable[[func.HttpRequest, func.Context], Awaitable[func.HttpResponse]]

# The host answers 404 with an empty body for a method that a route does not list. So every route
# takes all of them and answers 405 itself.
EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FUNCTIONS: Mapping[str, str] = {
    "token": "token",
    "connect": "connect",
    "session": "session",
    "calls": "calls",
    "usage": "usage",
    "latency": "latency",
    "failures": "failures",
    "endpoints": "endpoints",
    "calls/{handle}": "call",
    "calls/{handle}/hangup": "hangup",
    "calls/{id}/transcript": "transcript",
    "calls/{id}/recording": "recording",
    "calls/{id}/events": "events",
    "health": "health",
    "health/deep": "deep_health",
    "openapi.json": "openapi",
}
"""Every route, without the prefixes of the app that it is added to."""


def http_function(name: str) -> HttpFunction:
    """The function of that name, imported when it is called."""

    async def answer(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        from shared.api import http_functions

        function: HttpFunction = getattr(http_functions, name)
        return await function(req, context)

    answer.__name__ = name
    return answer


ROUTES: Mapping[str, HttpFunction] = {
    route: http_function(name) for route, name in FUNCTIONS.items()
}
