"""Secrets from Azure Key Vault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.config.env import LOOPBACK
from shared.config.settings import Settings
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


VAULT_TIMEOUT = timedelta(seconds=5)


def open_vault(
    chosen: Settings, identity: Callable[[], TokenCredential], clock: Clock
) -> Vault | None:
    """Key Vault, where the settings name one."""
    if not chosen.vault_uri:
        return None
    fetch = vault_fetcher(chosen.vault_uri, identity, VAULT_TIMEOUT)
    return Vault(fetch, chosen.vault_ttl, clock)


class Vault:
    """Key Vault's secrets, each read at most once per `ttl`, renewed before it expires.

    While the vault is away the last good value is kept. `fetch` takes a secret's name and gives
    its value; it raises `Problem`.
    """

    def __init__(self, fetch: Callable[[str], str], ttl: timedelta, clock: Clock) -> None:
        self.fetch = fetch
        self.ttl = ttl
        self.clock = clock
        self.secrets: dict[str, RefreshingValue[str]] = {}

    def secret(self, name: str) -> str:
        """The secret's value. Raises Problem vault_unavailable or vault_secret_unavailable."""
        kept = self.secrets.get(name)
        if kept is None:
            kept = self.secrets.setdefault(
                name,
                RefreshingValue(
                    lambda: ExpiringValue(self.fetch(name), self.clock() + self.ttl),
                    ahead=self.ttl / 4,
                    clock=self.clock,
                    keep_last=True,
                ),
            )
        return kept.get()


def vault_fetcher(
    uri: str, source: Callable[[], TokenCredential], timeout: timedelta
) -> Callable[[str], str]:
    """Reads secrets of the vault at `uri` with the app's identity."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from azure.keyvault.secrets import SecretClient

    seconds = timeout.total_seconds()
    on_this_machine = urlsplit(uri).hostname in LOOPBACK

    @cache
    def client() -> SecretClient:
        return SecretClient(
            uri,
            source(),
            # A stand-in on this machine cannot be of vault.azure.net.
            verify_challenge_resource=not on_this_machine,
            connection_timeout=seconds,
            read_timeout=seconds,
            retry_total=1,
        )

    def fetch(name: str) -> str:
        try:
            value = client().get_secret(name).value
        except ClientAuthenticationError:
            raise Problem("credential_unavailable") from None
        except HttpResponseError as error:
            gone = error.status_code is not None and 400 <= error.status_code < 500
            raise Problem("vault_secret_unavailable" if gone else "vault_unavailable") from None
        except AzureError:
            raise Problem("vault_unavailable") from None
        if not value:
            raise Problem("vault_secret_unavailable")
        return value

    return fetch
