"""How the broker authenticates to the model's endpoint: an Entra identity, or a key.

azure-identity and azure-keyvault-secrets are imported when first used: importing them takes longer
than a request (docs/adr/0006-async-functions-on-a-thread-pool.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from shared.config.settings import EndpointSettings
from shared.core.clock import Clock
from shared.credentials.identity import EntraCredential
from shared.credentials.key_vault import SecretStore

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


class Credential(Protocol):
    """What the model's endpoint accepts as proof of who the broker is."""

    def headers(self) -> Mapping[str, str]:
        """The request header that carries it. Raises Problem credential_unavailable or vault_…"""


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
