"""The errors of the Live API over HTTP. Only the 404 is recorded; the others have its shape."""

from __future__ import annotations

from functools import partial

from realtime_emulator.protocol import errors
from realtime_emulator.protocol.errors import ApiError
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import Invalid

NOT_FOUND = "session_id_not_found"


refusal = partial(errors.api_error, keys=("message", "type", "code", "param"))
"""The error of a Live route, whose keys were recorded in another order than Realtime's."""


def no_session() -> ApiError:
    """404 for a session that has ended, never was, or may not be attached to."""
    message = "No session found for the provided session_id"
    return refusal(404, NOT_FOUND, message, param="session_id")


def invalid(wrong: Invalid) -> ApiError:
    """400 for a field of the request."""
    return refusal(400, wrong.code, wrong.message, param=wrong.param)


def unauthorized() -> ApiError:
    return refusal(401, "invalid_api_key", "Incorrect API key provided.")


def no_model(provider: Provider, model: str, status: int | None, code: str | None) -> ApiError:
    """For a model or deployment that does not exist; the script may say how."""
    if provider == "azure" and status is None and code is None:
        return errors.no_deployment(provider, model)
    message = f"The model `{model}` does not exist or you do not have access to it."
    return refusal(status or 404, code or "model_not_found", message, param="session.model")


def realtime_only(model: str) -> ApiError:
    """For a Live model on the Realtime API."""
    message = f'Model "{model}" is not supported in realtime mode.'
    return refusal(400, "invalid_model", message, param="session.model")


def too_many_sessions(limit: int) -> ApiError:
    message = f"You have reached your limit of {limit} concurrent Live sessions."
    return refusal(429, "rate_limit_exceeded", message, kind="rate_limit_error")


def no_credit() -> ApiError:
    """A create without credit was reported to give 500."""
    message = "The server had an error while processing your request."
    return refusal(500, "credit_balance_exhausted", message, kind="server_error")


def still_running() -> ApiError:
    message = "The session has not ended yet."
    return refusal(400, "session_active", message, param="session_id")


def invalid_offer(message: str) -> ApiError:
    return refusal(400, "invalid_offer", message, param="transport.sdp")
