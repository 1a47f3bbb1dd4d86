"""The errors of the REST routes, in the live service's words and shapes.

Azure's gateway answers with `code` and `message` alone; the API behind it, with either provider,
with `message`, `type`, `code` and `param`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import Invalid


class ApiError(Exception):
    """An error response."""

    def __init__(
        self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(body["error"]["message"])
        self.status, self.body, self.headers = status, body, dict(headers or {})


def gateway_error(
    provider: Provider,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """An error of the gateway in front of the API. OpenAI has none: the shape is the usual one."""
    if provider == "azure":
        return ApiError(status, {"error": {"code": code, "message": message}}, headers)
    return api_error(status, code, message, headers=headers)


def api_error(
    status: int,
    code: str | None,
    message: str,
    *,
    param: str | None = None,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
    keys: Sequence[str] = ("message", "type", "param", "code"),
) -> ApiError:
    """An error of the API itself. `keys`: all four, in the recorded order."""
    fields = {"message": message, "type": kind, "code": code, "param": param}
    return ApiError(status, {"error": {key: fields[key] for key in keys}}, headers)


def invalid_parameter(wrong: Invalid) -> ApiError:
    """400 for a field of the request."""
    return api_error(400, wrong.code, wrong.message, param=wrong.param)


def unauthorized(provider: Provider) -> ApiError:
    """401 for a missing or wrong standard credential."""
    if provider == "azure":
        return gateway_error(
            provider,
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
            "provide a valid key for an active subscription and use a correct regional API "
            "endpoint for your resource.",
        )
    return api_error(401, "invalid_api_key", "Incorrect API key provided.")


def preview_only(provider: Provider, what: str) -> ApiError:
    """401 for an `api-version` or an `OpenAI-Beta` header, which the GA paths refuse."""
    message = f"Unauthorized: the GA Realtime API takes no {what}."
    return gateway_error(provider, 401, "401", message)


def not_ephemeral(provider: Provider) -> ApiError:
    """401 for any credential other than an ephemeral key on Azure's `/calls`."""
    message = "This operation requires ephemeral tokens for authentication."
    return gateway_error(provider, 401, "Unauthorized", message)


def key_expired() -> ApiError:
    return api_error(401, "token_expired", "Ephemeral token expired")


def key_unknown() -> ApiError:
    return api_error(401, "invalid_api_key", "Invalid ephemeral token")


def no_deployment(provider: Provider, model: str) -> ApiError:
    if provider == "azure":
        return gateway_error(
            provider,
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment "
            "within the last 5 minutes, please wait a moment and try again.",
        )
    return api_error(
        404,
        "model_not_found",
        f"The model `{model}` does not exist or you do not have access to it.",
        param="session.model",
    )


def not_realtime(provider: Provider) -> ApiError:
    """The spelling of the code is the live service's."""
    message = "The realtime operation does not work with the specified model."
    return gateway_error(provider, 400, "OpperationNotSupported", message)


def invalid_offer(message: str) -> ApiError:
    return api_error(400, "invalid_offer", message)


def no_call() -> ApiError:
    message = "No session found for the provided call_id"
    return api_error(404, "call_id_not_found", message, param="call_id")
