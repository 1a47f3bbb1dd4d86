"""How the broker authenticates to the model's endpoint: an Entra identity, or a key.

azure-identity and azure-keyvault-secrets are imported when first used: importing them takes longer
than a request (docs/adr/0006-async-functions-on-a-thread-pool.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from shared.config.env import WORD
from shared.config.gateway import VALUE, GatewaySettings
from shared.config.settings import EndpointSettings
from shared.config.unusable_values import unfilled
from shared.core.clock import Clock
from shared.core.problems import Problem
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
        key = usable_key(self.key())
        if self.provider == "azure":
            return {"api-key": key}
        return {"Authorization": f"Bearer {key}"}


def usable_key(secret: str) -> str:
    """A key as a header can carry it; one that was piped into the vault ends with a line end.

    Raises Problem vault_secret_unavailable: a key in a setting is checked at start.
    """
    key = secret.strip()
    if unfilled(key) is not None or not key.isascii() or not WORD.fullmatch(key):
        raise Problem(
            "vault_secret_unavailable",
            "The secret that holds the endpoint's key (REALTIME_API_KEY_SECRET, or its key_secret) "
            "is not a key: one word, in plain characters.",
        )
    return key


class GatewayHeader:
    """The header that a gateway in front of the model demands."""

    def __init__(self, settings: GatewaySettings, vault: SecretStore) -> None:
        self.settings = settings
        self.vault = vault

    def headers(self) -> Mapping[str, str]:
        """The header, as a request with a standard credential carries it. Raises Problem vault_…"""
        secret, value = self.settings.key_secret, self.settings.key or ""
        if secret is not None:
            # A secret that was piped into the vault ends with a line end.
            value = self.vault.secret(secret).strip()
            if unfilled(value) is not None or not VALUE.fullmatch(value):
                raise Problem(
                    "vault_secret_unavailable",
                    "The secret of REALTIME_GATEWAY_KEY_SECRET is not a header's value.",
                )
        if self.settings.replaces_bearer and " " not in value:
            value = f"Bearer {value}"
        return {self.settings.header: value}

    def headers_beside_key(self) -> Mapping[str, str]:
        """The header, as a request with an ephemeral key carries it."""
        return {} if self.settings.replaces_bearer else self.headers()


def no_headers() -> Mapping[str, str]:
    """Of an endpoint without a gateway."""
    return {}


class GatewayCredential:
    """The gateway's header, and our own credential beside it unless that is the gateway's part."""

    def __init__(self, own: Credential, header: GatewayHeader) -> None:
        self.own = own
        self.header = header

    def headers(self) -> Mapping[str, str]:
        own = {} if self.header.settings.instead else self.own.headers()
        return {**own, **self.header.headers()}


def open_credential(
    settings: EndpointSettings,
    identity: Callable[[], TokenCredential],
    vault: SecretStore,
    clock: Clock,
) -> Credential:
    """Our own credential, as the settings ask for."""
    if settings.key is not None:
        key = settings.key
        return KeyCredential(lambda: key, settings.provider)
    if settings.key_secret is not None:
        name = settings.key_secret
        return KeyCredential(lambda: vault.secret(name), settings.provider)
    return EntraCredential(identity, settings.token_scope, clock)
