"""Secrets from Azure Key Vault."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from shared.config.env import LOOPBACK
from shared.config.settings import SecretSettings
from shared.core import logs
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.http_session import open_transport
from shared.core.json_reader import read_json
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.keyvault.secrets import SecretClient

VAULT_TIMEOUT = timedelta(seconds=5)
VAULT_CONNECTIONS = 4
VAULT_BUDGET = timedelta(seconds=10)
"""For one read, the identity's token and a retry included."""
VAULT_BYTES = 1024 * 1024
"""Of one answer. A secret has 25 KB at most."""


NETWORK_REASONS = ("ForbiddenByFirewall", "ForbiddenByConnection")
REASONS = {
    "ForbiddenByRbac": "The app's identity has no role on the vault or on this secret.",
    "AccessDenied": "The vault's access policies do not let the app's identity read secrets.",
    "SecretDisabled": "The secret is disabled.",
    "SecretNotFound": "The vault has no secret of that name.",
}
"""What a reader is told, by the vault's own codes (Key Vault's REST API error codes)."""


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
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        bodies: list[bytes] = []

        def keep_body(response: Any) -> None:
            bodies.append(response.http_response.body())

        try:
            with exchange_terms(Deadline.after(VAULT_BUDGET), most_bytes=VAULT_BYTES):
                self.client().get_secret(name, raw_response_hook=keep_body)
            # The SDK makes a text of whatever the value is.
            value = read_json(bodies[-1]).get("value")
            if not isinstance(value, str | None):
                raise ValueError("a secret that is no text")
        except ClientAuthenticationError:
            raise Problem("credential_unavailable") from None
        except HttpResponseError as error:
            raise vault_problem(error) from None
        except Exception as error:
            # The SDK takes JSON as it comes, and raises whatever that leads to.
            logs.event("vault unavailable", logging.WARNING, cause=type(error).__name__)
            raise Problem("vault_unavailable") from None
        if not value:
            raise Problem("vault_secret_unavailable")
        return value


def vault_problem(error: HttpResponseError) -> Problem:
    """What the vault's refusal means; its codes are logged."""
    inner = getattr(getattr(error, "error", None), "innererror", None)
    codes = [str(getattr(error.error, "code", "") or ""), inner_code(inner)]
    logs.event(
        "vault refused",
        status=error.status_code,
        upstream_code=logs.safe_word(codes[0]),
        reason=logs.safe_word(codes[1]),
    )
    refused = error.status_code is not None and 400 <= error.status_code < 500
    if not refused or error.status_code == 429:
        return Problem("vault_unavailable")
    if codes[1] in NETWORK_REASONS:
        return Problem("vault_unavailable", "The vault's network rules keep the broker out.")
    return Problem("vault_secret_unavailable", REASONS.get(codes[1]) or REASONS.get(codes[0]))


def inner_code(inner: object) -> str:
    """The code within an error of the SDK's, which is an object or the JSON itself."""
    code = inner.get("code") if isinstance(inner, dict) else getattr(inner, "code", "")
    return code if isinstance(code, str) else ""


def open_vault(
    settings: SecretSettings, identity: Callable[[], TokenCredential], clock: Clock
) -> SecretStore:
    """The vault that the settings name, if any."""
    if not settings.vault_uri:
        return NoVault()
    reader = VaultReader(settings.vault_uri, identity, VAULT_TIMEOUT)
    return Vault(reader.fetch_secret, settings.vault_ttl, clock)
