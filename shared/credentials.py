"""How the broker proves who it is upstream: an Entra identity, or a key (from Key Vault).

azure-identity and azure-keyvault-secrets are imported when first used: importing them costs more
than a request (docs/adr/0006-async-functions-on-a-thread-pool.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from shared.clock import Clock
from shared.problems import Problem
from shared.reading import LOOPBACK
from shared.renewing import Lasting, Renewing
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TOKEN_AHEAD = timedelta(minutes=5)


class Credential(Protocol):
    """Something that upstream believes."""

    def headers(self) -> Mapping[str, str]:
        """The header that proves it. Raises Problem credential_unavailable or vault_…"""


def identity(env: Mapping[str, str], connection: str = "") -> TokenCredential:
    """The app's identity: its managed identity in Azure, the developer's sign-in elsewhere.

    Azure says where it is by IDENTITY_ENDPOINT; AZURE_CLIENT_ID, or `<connection>__clientId` for
    what that connection reaches, chooses a user-assigned identity. One of these lives as long as
    the process.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    client = env.get(f"{connection}__clientId") or env.get("AZURE_CLIENT_ID") or None
    if env.get("IDENTITY_ENDPOINT"):
        return ManagedIdentityCredential(client_id=client)
    return DefaultAzureCredential(exclude_interactive_browser_credential=True)


class EntraCredential:
    """A bearer token for `scope`, kept until five minutes before its end."""

    def __init__(self, source: Callable[[], TokenCredential], scope: str, clock: Clock) -> None:
        self.source = source
        self.scope = scope
        self.token = Renewing(self.fetch, ahead=TOKEN_AHEAD, clock=clock, keep_last=False)

    def fetch(self) -> Lasting[str]:
        from azure.core.exceptions import AzureError

        try:
            token = self.source().get_token(self.scope)
        except AzureError:
            # Its text names the ways it tried, and sometimes what they answered.
            raise Problem("credential_unavailable") from None
        return Lasting(token.token, datetime.fromtimestamp(token.expires_on, UTC))

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


class Vault:
    """Key Vault's secrets, each read at most once per `ttl`, renewed before it expires.

    While the vault is away the last good value is kept. `fetch` takes a secret's name and gives
    its value; it raises `Problem`.
    """

    def __init__(self, fetch: Callable[[str], str], ttl: timedelta, clock: Clock) -> None:
        self.fetch = fetch
        self.ttl = ttl
        self.clock = clock
        self.secrets: dict[str, Renewing[str]] = {}

    def secret(self, name: str) -> str:
        """The secret's value. Raises Problem vault_unavailable or vault_secret_unavailable."""
        kept = self.secrets.get(name)
        if kept is None:
            kept = self.secrets.setdefault(
                name,
                Renewing(
                    lambda: Lasting(self.fetch(name), self.clock() + self.ttl),
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
