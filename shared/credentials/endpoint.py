"""How the broker authenticates to the model's endpoint: an Entra identity, or a key.

azure-identity and azure-keyvault-secrets are imported when first used: importing them takes longer
than a request (docs/adr/0006-async-functions-on-a-thread-pool.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from shared.config.settings import EndpointSettings
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue
from shared.credentials.key_vault import SecretStore

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TOKEN_AHEAD = timedelta(minutes=5)
TOKEN_BUDGET = timedelta(seconds=15)
"""For one token, the SDK's retries included."""


class Credential(Protocol):
    """What the model's endpoint accepts as proof of who the broker is."""

    def headers(self) -> Mapping[str, str]:
        """The request header that carries it. Raises Problem credential_unavailable or vault_…"""


class EntraCredential:
    """An access token for `scope`, refreshed five minutes before it expires."""

    def __init__(self, identity: Callable[[], TokenCredential], scope: str, clock: Clock) -> None:
        self.identity = identity
        self.scope = scope
        self.token = RefreshingValue(self.fetch_token, ahead=TOKEN_AHEAD, clock=clock)

    def fetch_token(self) -> ExpiringValue[str]:
        from azure.core.exceptions import AzureError

        try:
            with exchange_terms(Deadline.after(TOKEN_BUDGET)):
                token = self.identity().get_token(self.scope)
            return ExpiringValue(token.token, datetime.fromtimestamp(token.expires_on, UTC))
        except (AzureError, ValueError, TypeError, OverflowError, OSError, RecursionError):
            # The error's text lists what was tried, and sometimes the responses. The SDK reads JSON
            # and numbers as they come, and raises what its readers raise.
            raise Problem("credential_unavailable") from None

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token.get()}"}


class KeyCredential:
    """A standard key: `api-key` for Azure, a bearer token for OpenAI."""

    def __init__(self, key: Callable[[], str], provider: str) -> None:
        self.key = key
        self.provider = provider

    def headers(self) -> Mapping[str, str]:
        if self.provider == "azure":
            return {"api-key": self.key()}
        return {"Authorization": f"Bearer {self.key()}"}


def open_credential(
    settings: EndpointSettings,
    identity: Callable[[], TokenCredential],
    vault: SecretStore,
    clock: Clock,
) -> Credential:
    """The credential that the settings ask for."""
    if settings.key is not None:
        key = settings.key
        return KeyCredential(lambda: key, settings.provider)
    if settings.key_secret is not None:
        name = settings.key_secret
        return KeyCredential(lambda: vault.secret(name), settings.provider)
    return EntraCredential(identity, settings.token_scope, clock)
