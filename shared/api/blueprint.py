"""The broker's functions as a Blueprint, for its own function app and for anybody else's.

In an app of somebody else's the broker is a guest: its routes, its functions' names and its
settings can each have a prefix, its routes keep their own authorization level, and nothing of the
process is set for the others (docs/existing-function-app.md).
"""

from __future__ import annotations

import os
import re

import azure.functions as func

from shared.api import lazy_broker
from shared.api.routes import EVERY_METHOD, ROUTES
from shared.api.triggers import QUEUE_TRIGGERS, SWEEP_SCHEDULE, sweep_calls
from shared.core import logs
from shared.core.at_exit import run_at_exit

STORAGE = "AzureWebJobsStorage"
"""The connection that every function app has (storage/factory.py, which is not loaded with the
app)."""
ROUTE_PREFIX = r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*"
FUNCTION_PREFIX = r"[A-Za-z][A-Za-z0-9_]*"
CONNECTION_NAME = r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*"
SETTINGS_PREFIX = r"[A-Z][A-Z0-9]*_(?:[A-Z0-9]+_)*"


def open_blueprint(
    *,
    route_prefix: str = "",
    function_prefix: str = "",
    settings_prefix: str = "",
    storage_connection: str = STORAGE,
) -> func.Blueprint:
    """The broker's functions, to be registered with a FunctionApp. Call it once in a process.

    `route_prefix` is what all routes begin with, after host.json's own: with `voice` a page posts
    its offer to `/api/voice/connect`. `function_prefix` is what the names of all functions begin
    with. `settings_prefix` is what the names of the broker's settings begin with: with `VOICE_` it
    reads `VOICE_REALTIME_MODEL`, and no setting without the prefix but the platform's.
    `storage_connection` names the storage account of its tables, queues and transcripts, as
    AzureWebJobsStorage does. Raises ValueError for a prefix that Functions would not take.
    """
    check_prefix("route_prefix", route_prefix, ROUTE_PREFIX, "voice")
    check_prefix("function_prefix", function_prefix, FUNCTION_PREFIX, "voice_")
    check_prefix("settings_prefix", settings_prefix, SETTINGS_PREFIX, "VOICE_")
    check_prefix("storage_connection", storage_connection, CONNECTION_NAME, "VOICE_STORAGE")
    logs.redact_own_records()
    if settings_prefix or storage_connection != STORAGE:
        lazy_broker.use_settings(os.environ, settings_prefix, storage_connection)
    run_at_exit(lazy_broker.write_refusals, lazy_broker.observes_calls)
    blueprint = func.Blueprint()  # type: ignore[no-untyped-call]  # as azure-functions leaves it
    named = blueprint.function_name
    for route, answer in ROUTES.items():
        # A level of their own: otherwise they would have the one of the app.
        on_request = blueprint.route(
            route="/".join(filter(None, (route_prefix, route))),
            methods=EVERY_METHOD,
            auth_level=func.AuthLevel.ANONYMOUS,
        )
        named(function_prefix + answer.__name__)(on_request(answer))
    for queue, handle in QUEUE_TRIGGERS.items():
        on_message = blueprint.queue_trigger(
            "message", queue_name=queue, connection=storage_connection
        )
        named(function_prefix + handle.__name__)(on_message(handle))
    on_time = blueprint.timer_trigger("timer", schedule=SWEEP_SCHEDULE)
    named(function_prefix + sweep_calls.__name__)(on_time(sweep_calls))
    return blueprint


def check_prefix(name: str, value: str, pattern: str, example: str) -> None:
    """Raises ValueError for a prefix that is neither empty nor like the example."""
    if value and not re.fullmatch(pattern, value):
        raise ValueError(f"{name} is {value!r}; expected something like {example!r}, or nothing")
