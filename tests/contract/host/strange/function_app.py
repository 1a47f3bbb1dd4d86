"""A function app of somebody else's that has the broker as a guest: its own routes, functions,
settings and log lines, some with names that the broker has too."""

from __future__ import annotations

import gc
import json
import logging
import os

import azure.functions as func

from shared.api.blueprint import open_blueprint

FRESH = (gc.get_threshold(), logging.getLogger("azure").level, logging.getLogger("urllib3").level)
logger = logging.getLogger("orders")
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="health")
def health(req: func.HttpRequest) -> str:
    """Ours, under a route and a name that the broker has too."""
    return "the orders are well"


@app.route(route="calls/{handle}")
def call(req: func.HttpRequest) -> str:
    return f"the call for order {req.route_params['handle']}"


@app.route(route="state")
def state(req: func.HttpRequest) -> str:
    """What the broker must leave as it was."""
    logger.warning("an order of ours: ek_of_our_own_0123456789")
    now = (gc.get_threshold(), *(logging.getLogger(each).level for each in ("azure", "urllib3")))
    return json.dumps({"same": now == FRESH, "origins": os.environ["ALLOWED_ORIGINS"]})


@app.queue_trigger(arg_name="message", queue_name="call-ended", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="orders", connection="AzureWebJobsStorage")
def end_call(message: func.QueueMessage, done: func.Out[str]) -> None:
    """Ours too: a function of the broker's has that name."""
    ended = json.loads(message.get_body())
    logger.info("order of %s is done: %s", ended["caller"][:4], ended["ended_by"])
    done.set(ended["call"])


app.register_functions(
    open_blueprint(route_prefix="voice", function_prefix="voice_", settings_prefix="VOICE_")
)
