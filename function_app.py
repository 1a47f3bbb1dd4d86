"""The broker's routes (Azure Functions, Python v2 model): parse, call one function, answer.

Every function is anonymous to Functions: who calls is decided in shared/auth/callers.py, because
function keys do not go with Static Web Apps (docs/adr/0001-the-broker-answers-the-offer.md).
"""

from __future__ import annotations

from functools import partial

import azure.functions as func

from shared.api import handlers, http
from shared.api.http import EVERY_METHOD
from shared.core import logs

logs.set_up()
http.set_up()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


answer = partial(http.answer, origins=handlers.origins)


@app.route(route="token", methods=EVERY_METHOD)
async def token(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """An ephemeral key for a page that talks to the model's endpoint itself."""
    return await answer(req, context, ("GET", "POST"), handlers.token)


@app.route(route="connect", methods=EVERY_METHOD)
async def connect(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """An SDP offer in, the SDP answer out: the page never holds a key."""
    return await answer(req, context, ("POST",), handlers.start_call)


@app.route(route="session", methods=EVERY_METHOD)
async def session(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """`connect` under the name that OpenAI's samples use."""
    return await answer(req, context, ("POST",), handlers.start_call)


@app.route(route="calls", methods=EVERY_METHOD)
async def calls(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Register a call that was made with a key; for admins, the list of calls."""
    return await answer(req, context, ("GET", "POST"), handlers.list_or_register)


@app.route(route="usage", methods=EVERY_METHOD)
async def usage(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what calls used, by day, caller, profile and model."""
    return await answer(req, context, ("GET",), handlers.show_usage)


@app.route(route="calls/{handle}", methods=EVERY_METHOD)
async def call(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """How the caller's own call stands."""
    return await answer(req, context, ("GET", "HEAD"), handlers.show_call)


@app.route(route="calls/{handle}/hangup", methods=EVERY_METHOD)
async def hangup(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Ends the caller's own call."""
    return await answer(req, context, ("POST",), handlers.hang_up)


@app.route(route="calls/{id}/transcript", methods=EVERY_METHOD)
async def transcript(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what was said in a call, where that is kept; and its deletion."""
    return await answer(req, context, ("GET", "DELETE"), handlers.show_or_delete_transcript)


@app.route(route="calls/{id}/events", methods=EVERY_METHOD)
async def events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: one client event to a running call."""
    return await answer(req, context, ("POST",), handlers.send_event)


@app.queue_trigger(arg_name="message", queue_name="observe-call", connection="AzureWebJobsStorage")
async def observe_call(message: func.QueueMessage, context: func.Context) -> None:
    """Follows a call over its WebSocket: transcript, usage, tools, policy."""
    body = message.get_body().decode()
    serving, call = await http.off_the_loop(context, lambda: handlers.subject(body))
    await serving.observing().follow(call)


@app.queue_trigger(arg_name="message", queue_name="end-call", connection="AzureWebJobsStorage")
async def end_call(message: func.QueueMessage, context: func.Context) -> None:
    """The hard limit of a call: it is hung up, whatever else is alive."""
    body = message.get_body().decode()
    serving, call = await http.off_the_loop(context, lambda: handlers.subject(body))
    await serving.endings.at_limit(call)


@app.route(route="health", methods=EVERY_METHOD)
async def health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Whether the settings are right."""
    return await answer(req, context, ("GET", "HEAD"), handlers.health)


@app.route(route="health/deep", methods=EVERY_METHOD)
async def deep_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: whether everything works that the broker stands on."""
    return await answer(req, context, ("GET",), handlers.examine_health)


@app.route(route="openapi.json", methods=EVERY_METHOD)
async def openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The contract of all of it, as OpenAPI 3.1."""
    return await answer(req, context, ("GET", "HEAD"), handlers.openapi)
