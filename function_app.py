"""The broker's routes (Azure Functions, Python v2 model), and nothing else; its queue and timer
triggers are in shared/api/triggers.py.

Every function is anonymous to Functions, and shared/auth/authenticator.py authenticates callers:
function keys do not work with Static Web Apps (docs/adr/0001-the-broker-answers-the-offer.md).
"""

from __future__ import annotations

from functools import partial

import azure.functions as func

from shared.api import handlers, http, triggers
from shared.api.bulkheads import ENDS, HEALTH, READS, STARTS
from shared.api.http import EVERY_METHOD
from shared.api.lazy_broker import count_refusal, current_origins, write_refusals
from shared.core import logs
from shared.core.at_exit import run_at_exit

logs.set_up()
http.set_up()
run_at_exit(write_refusals)
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(triggers.blueprint)
answer = partial(http.answer_request, origins=current_origins, refused=count_refusal)


@app.route(route="token", methods=EVERY_METHOD)
async def token(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """An ephemeral key for a page that connects to the model's endpoint itself."""
    return await answer(req, context, ("GET", "POST"), handlers.token, on=STARTS)


@app.route(route="connect", methods=EVERY_METHOD)
async def connect(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Takes an SDP offer and returns the SDP answer; GET asks whether the caller may do that."""
    on = STARTS if req.method == "POST" else READS
    return await answer(req, context, ("GET", "HEAD", "POST"), handlers.start_or_check_call, on=on)


@app.route(route="session", methods=EVERY_METHOD)
async def session(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """`connect` under the name that OpenAI's samples use."""
    return await answer(req, context, ("POST",), handlers.start_call, on=STARTS)


@app.route(route="calls", methods=EVERY_METHOD)
async def calls(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Registers a call that was started with a key; for admins, lists calls."""
    on = STARTS if req.method == "POST" else READS
    return await answer(req, context, ("GET", "POST"), handlers.list_or_register_calls, on=on)


@app.route(route="usage", methods=EVERY_METHOD)
async def usage(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what calls used, by day, caller, profile and model."""
    return await answer(req, context, ("GET",), handlers.show_usage)


@app.route(route="latency", methods=EVERY_METHOD)
async def latency(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: how fast callers were answered, by day, profile and model."""
    return await answer(req, context, ("GET",), handlers.show_latency)


@app.route(route="failures", methods=EVERY_METHOD)
async def failures(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what was refused and what failed, by code."""
    return await answer(req, context, ("GET",), handlers.show_failures)


@app.route(route="calls/{handle}", methods=EVERY_METHOD)
async def call(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The status of the caller's own call."""
    return await answer(req, context, ("GET", "HEAD"), handlers.show_call)


@app.route(route="calls/{handle}/hangup", methods=EVERY_METHOD)
async def hangup(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Ends the caller's own call."""
    return await answer(req, context, ("POST",), handlers.hang_up, on=ENDS)


@app.route(route="calls/{id}/transcript", methods=EVERY_METHOD)
async def transcript(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: shows or deletes a call's transcript, where transcripts are kept."""
    return await answer(req, context, ("GET", "DELETE"), handlers.show_or_delete_transcript)


@app.route(route="calls/{id}/recording", methods=EVERY_METHOD)
async def recording(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: both voices of a call, or a part of them, where recordings are kept."""
    return await answer(req, context, ("GET",), handlers.show_recording)


@app.route(route="calls/{id}/events", methods=EVERY_METHOD)
async def events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: sends one client event to a running call."""
    return await answer(req, context, ("POST",), handlers.send_event)


@app.route(route="health", methods=EVERY_METHOD)
async def health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Whether the settings are valid."""
    on = READS if req.params.get("deep") else HEALTH
    return await answer(req, context, ("GET", "HEAD"), handlers.health, on=on)


@app.route(route="health/deep", methods=EVERY_METHOD)
async def deep_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: whether everything the broker depends on works."""
    return await answer(req, context, ("GET",), handlers.deep_health)


@app.route(route="openapi.json", methods=EVERY_METHOD)
async def openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The API's contract, as OpenAPI 3.1."""
    return await answer(req, context, ("GET", "HEAD"), handlers.openapi)
