"""The functions of the broker's routes (routes.py), and nothing else: each hands its request to a
handler.

Every function is anonymous to Functions, and shared/auth/authenticator.py authenticates callers:
function keys do not work with Static Web Apps (docs/adr/0001-the-broker-answers-the-offer.md).
"""

from __future__ import annotations

from functools import partial

import azure.functions as func

from shared.api import handlers, http
from shared.api.bulkheads import ENDS, HEALTH, READS, STARTS
from shared.api.lazy_broker import count_refusal, current_origins

answer = partial(http.answer_request, origins=current_origins, refused=count_refusal)


async def token(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """An ephemeral key for a page that connects to the model's endpoint itself."""
    return await answer(req, context, ("GET", "POST"), handlers.token, on=STARTS)


async def connect(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Takes an SDP offer and returns the SDP answer; GET asks whether the caller may do that."""
    on = STARTS if req.method == "POST" else READS
    return await answer(req, context, ("GET", "HEAD", "POST"), handlers.start_or_check_call, on=on)


async def session(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """`connect` under the name that OpenAI's samples use."""
    return await answer(req, context, ("POST",), handlers.start_call, on=STARTS)


async def calls(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Registers a call that was started with a key; for admins, lists calls."""
    on = STARTS if req.method == "POST" else READS
    return await answer(req, context, ("GET", "POST"), handlers.list_or_register_calls, on=on)


async def usage(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what calls used, by day, caller, profile and model."""
    return await answer(req, context, ("GET",), handlers.show_usage)


async def latency(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: how fast callers were answered, by day, profile and model."""
    return await answer(req, context, ("GET",), handlers.show_latency)


async def failures(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: what was refused and what failed, by code."""
    return await answer(req, context, ("GET",), handlers.show_failures)


async def endpoints(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: the model's endpoints, how each is, what was started and refused there."""
    return await answer(req, context, ("GET",), handlers.show_endpoints)


async def call(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The status of the caller's own call."""
    return await answer(req, context, ("GET", "HEAD"), handlers.show_call)


async def hangup(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Ends the caller's own call."""
    return await answer(req, context, ("POST",), handlers.hang_up, on=ENDS)


async def transcript(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: shows or deletes a call's transcript, where transcripts are kept."""
    return await answer(req, context, ("GET", "DELETE"), handlers.show_or_delete_transcript)


async def recording(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: both voices of a call, or a part of them, where recordings are kept."""
    return await answer(req, context, ("GET",), handlers.show_recording)


async def events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: sends one client event to a running call."""
    return await answer(req, context, ("POST",), handlers.send_event)


async def health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Whether the settings are valid."""
    on = READS if req.params.get("deep") else HEALTH
    return await answer(req, context, ("GET", "HEAD"), handlers.health, on=on)


async def deep_health(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """For admins: whether everything the broker depends on works."""
    return await answer(req, context, ("GET",), handlers.deep_health)


async def openapi(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The API's contract, as OpenAPI 3.1."""
    return await answer(req, context, ("GET", "HEAD"), handlers.openapi)
