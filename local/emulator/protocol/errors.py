"""What the REST routes refuse, in the words and shapes of the live service.

Azure's gateway answers with `code` and `message` alone; the API behind it, on both providers, with
`message`, `type`, `code` and `param`.
"""

from collections.abc import Mapping
from typing import Any

from local.emulator.protocol.ids import Provider
from local.emulator.protocol.validators import Invalid


class ApiError(Exception):
    """An HTTP answer that says no."""

    def __init__(
        self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(body["error"]["message"])
        self.status, self.body, self.headers = status, body, dict(headers or {})


def by_gateway(
    provider: Provider,
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """A refusal from in front of the API; OpenAI has no such gateway and gives its usual shape."""
    if provider == "azure":
        return ApiError(status, {"error": {"code": code, "message": message}}, headers)
    return by_api(status, code, message, headers=headers)


def by_api(
    status: int,
    code: str | None,
    message: str,
    *,
    param: str | None = None,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return ApiError(status, {"error": error}, headers)


def invalid(wrong: Invalid) -> ApiError:
    """400 for a field."""
    return by_api(400, wrong.code, wrong.message, param=wrong.param)


def unauthorized(provider: Provider) -> ApiError:
    """401 for a missing or wrong standard credential."""
    if provider == "azure":
        return by_gateway(
            provider,
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to "
            "provide a valid key for an active subscription and use a correct regional API "
            "endpoint for your resource.",
        )
    return by_api(401, "invalid_api_key", "Incorrect API key provided.")


def preview_style(provider: Provider, what: str) -> ApiError:
    """401 for an `api-version` or an `OpenAI-Beta` header: GA paths take neither."""
    message = f"Unauthorized: the GA Realtime API takes no {what}."
    return by_gateway(provider, 401, "401", message)


def not_ephemeral(provider: Provider) -> ApiError:
    """401 for anything but an ephemeral key on Azure's `/calls`."""
    message = "This operation requires ephemeral tokens for authentication."
    return by_gateway(provider, 401, "Unauthorized", message)


def key_expired() -> ApiError:
    return by_api(401, "token_expired", "Ephemeral token expired")


def key_unknown() -> ApiError:
    return by_api(401, "invalid_api_key", "Invalid ephemeral token")


def no_deployment(provider: Provider, model: str) -> ApiError:
    if provider == "azure":
        return by_gateway(
            provider,
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment "
            "within the last 5 minutes, please wait a moment and try again.",
        )
    return by_api(
        404,
        "model_not_found",
        f"The model `{model}` does not exist or you do not have access to it.",
        param="session.model",
    )


def not_realtime(provider: Provider) -> ApiError:
    """The live service spells it so."""
    message = "The realtime operation does not work with the specified model."
    return by_gateway(provider, 400, "OpperationNotSupported", message)


def invalid_offer(why: str) -> ApiError:
    return by_api(400, "invalid_offer", f"Failed to parse offer: {why}")


def no_call() -> ApiError:
    message = "No session found for the provided call_id"
    return by_api(404, "call_id_not_found", message, param="call_id")
