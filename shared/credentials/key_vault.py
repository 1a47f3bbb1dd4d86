"""Secrets from Azure Key Vault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from shared.config.env import LOOPBACK
from shared.config.settings import SecretSettings
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.http_session import open_transport
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import SecretClient

VAULT_TIMEOUT = timedelta(seconds=5)
VAULT_CONNECTIONS = 4
VAULT_BUDGET = timedelta(seconds=10)
"""For one read, the identity's token and a retry included."""
VAULT_BYTES = 1024 * 1024
"""Of one answer. A secret has 25 KB at most."""


class SecretStore(Protocol):
    """Secrets by name: `Vault`, or `NoVault` where none is configured."""

    def secret(self, name: str, /) -> str:
        """The secret's value. Raises Problem vault_unavailable, vault_secret_unavailable or
        credential_unavailable."""


class Vault:
    """Key Vault's secrets, each read at most once per `ttl` and refreshed before that has passed.

    While the vault is unavailable the last value read is served. `fetch_secret` takes a secret's
    name and gives its value; it raises `Problem`.
    """

    def __init__(self, fetch_secret: Callable[[str], str], ttl: timedelta, clock: Clock) -> None:
        self.fetch_secret = fetch_secret
        self.ttl = ttl
        self.clock = clock
        self.secrets: dict[str, RefreshingValue[str]] = {}

    def secret(self, name: str) -> str:
        kept = self.secrets.get(name)
        if kept is None:
            kept = self.secrets.setdefault(
                name,
                RefreshingValue(
                    lambda: ExpiringValue(self.fetch_secret(name), self.clock() + self.ttl),
                    ahead=self.ttl / 4,
                    clock=self.clock,
                    serve_stale=True,
                ),
            )
        return kept.get()


class NoVault:
    """Stands in where the settings name no vault."""

    def secret(self, _: str) -> str:
        raise Problem("vault_secret_unavailable")


class VaultReader:
    """Reads secrets of the vault at `uri` with the app's identity."""

    def __init__(
        self, uri: str, identity: Callable[[], TokenCredential], timeout: timedelta
    ) -> None:
        self.uri = uri
        self.identity = identity
        self.timeout = timeout
        self.client = cache(self.open_client)

    def open_client(self) -> SecretClient:
        from azure.keyvault.secrets import SecretClient

        return SecretClient(
            self.uri,
            self.identity(),
            # A stand-in on this machine cannot have a host name in vault.azure.net.
            verify_challenge_resource=urlsplit(self.uri).hostname not in LOOPBACK,
            transport=open_transport(
                connect=self.timeout, read=self.timeout, connections=VAULT_CONNECTIONS
            ),
            retry_total=1,
        )

    def fetch_secret(self, name: str) -> str:
        """The secret's value, read now. Raises the Problems of `SecretStore.secret`."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        try:
            with exchange_terms(Deadline.after(VAULT_BUDGET), most_bytes=VAULT_BYTES):
                value = self.client().get_secret(name).value
        except ClientAuthenticationError:
            raise Problem("credential_unavailable") from None
        except HttpResponseError as error:
            refused = error.status_code is not None and 400 <= error.status_code < 500
            raise Problem("vault_secret_unavailable" if refused else "vault_unavailable") from None
        except (AzureError, ValueError, RecursionError):
            # The SDK reads JSON and dates as they come, and raises what its readers raise.
            raise Problem("vault_unavailable") from None
        if not value:
            raise Problem("vault_secret_unavailable")
        return value


def open_vault(
    settings: SecretSettings, identity: Callable[[], TokenCredential], clock: Clock
) -> SecretStore:
    """The vault that the settings name, if any."""
    if not settings.vault_uri:
        return NoVault()
    reader = VaultReader(settings.vault_uri, identity, VAULT_TIMEOUT)
    return Vault(reader.fetch_secret, settings.vault_ttl, clock)
