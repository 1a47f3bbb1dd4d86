"""How the broker proves who it is upstream: an Entra identity, or a key (from Key Vault).

azure-identity and azure-keyvault-secrets are imported when first used: importing them costs more
than a request (docs/adr/0006-async-functions-on-a-thread-pool.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from shared.config.settings import Settings
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue
from shared.credentials.key_vault import Vault

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TOKEN_AHEAD = timedelta(minutes=5)


class Credential(Protocol):
    """Something that upstream believes."""

    def headers(self) -> Mapping[str, str]:
        """The header that proves it. Raises Problem credential_unavailable or vault_…"""


class EntraCredential:
    """A bearer token for `scope`, kept until five minutes before its end."""

    def __init__(self, source: Callable[[], TokenCredential], scope: str, clock: Clock) -> None:
        self.source = source
        self.scope = scope
        self.token = RefreshingValue(self.fetch, ahead=TOKEN_AHEAD, clock=clock, keep_last=False)

    def fetch(self) -> ExpiringValue[str]:
        from azure.core.exceptions import AzureError

        try:
            token = self.source().get_token(self.scope)
        except AzureError:
            # Its text names the ways it tried, and sometimes what they answered.
            raise Problem("credential_unavailable") from None
        return ExpiringValue(token.token, datetime.fromtimestamp(token.expires_on, UTC))

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token.get()}"}


class KeyCredential:
    """A standard key: `api-key` for Azure, a bearer for OpenAI."""

    def __init__(self, key: Callable[[], str], provider: str) -> None:
        self.key = key
        self.provider = provider

    def headers(self) -> Mapping[str, str]:
        if self.provider == "azure":
            return {"api-key": self.key()}
        return {"Authorization": f"Bearer {self.key()}"}


def credential(
    settings: Settings, source: Callable[[], TokenCredential], vault: Vault | None, clock: Clock
) -> Credential:
    """The credential that the settings ask for."""
    if settings.api_key is not None:
        key = settings.api_key
        return KeyCredential(lambda: key, settings.provider)
    if settings.api_key_secret is not None and vault is not None:
        name = settings.api_key_secret
        return KeyCredential(lambda: vault.secret(name), settings.provider)
    return EntraCredential(source, settings.token_scope, clock)
