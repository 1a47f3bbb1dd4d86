"""The app's managed identity in Azure, or the developer's own sign-in elsewhere, and its tokens."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.config.clouds import authority_host, find_cloud, host_of
from shared.core import logs
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.http_session import open_transport
from shared.core.problems import Problem
from shared.core.refreshing import ExpiringValue, RefreshingValue

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


IDENTITY_TIMEOUT = timedelta(seconds=5)
IDENTITY_CONNECTIONS = 4
ENTRA_CODE = re.compile(r"AADSTS[0-9]{4,8}")
LONGEST_ERROR = 20_000
ACCESS_TOKEN = re.compile(r"[\x21-\x7e]+")
TOKEN_AHEAD = timedelta(minutes=5)
TOKEN_BUDGET = timedelta(seconds=15)
"""For one token, the SDK's retries included."""
TOKEN_BYTES = 1024 * 1024


def open_identity(env: Mapping[str, str], connection: str = "") -> TokenCredential:
    """The identity that the app signs in with. Open one and keep it as long as the process lives.

    IDENTITY_ENDPOINT is set where there is a managed identity. AZURE_CLIENT_ID, or
    `<connection>__clientId` for the resource behind that connection, chooses a user-assigned one.
    Elsewhere it signs in where AZURE_AUTHORITY_HOST says, or in the cloud of the model's endpoint.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    client = env.get(f"{connection}__clientId") or env.get("AZURE_CLIENT_ID") or None
    if env.get("IDENTITY_ENDPOINT"):
        transport = open_transport(
            connect=IDENTITY_TIMEOUT, read=IDENTITY_TIMEOUT, connections=IDENTITY_CONNECTIONS
        )
        return ManagedIdentityCredential(client_id=client, transport=transport)
    authority = authority_host(env)
    cloud = find_cloud(host_of(env.get("REALTIME_ENDPOINT", "")), authority)
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True, authority=authority or cloud.authority
    )


def entra_code(error: BaseException) -> str:
    """The code of Entra's in an error of the SDK, which tells the causes apart; "" without one."""
    found = ENTRA_CODE.search(str(error)[:LONGEST_ERROR])
    return found[0] if found else ""


class EntraCredential:
    """An access token for `scope`, refreshed five minutes before it expires."""

    def __init__(self, identity: Callable[[], TokenCredential], scope: str, clock: Clock) -> None:
        self.identity = identity
        self.scope = scope
        self.token = RefreshingValue(self.fetch_token, ahead=TOKEN_AHEAD, clock=clock)

    def fetch_token(self) -> ExpiringValue[str]:
        try:
            with exchange_terms(Deadline.after(TOKEN_BUDGET), most_bytes=TOKEN_BYTES):
                token = self.identity().get_token(self.scope)
            if not isinstance(token.token, str) or not ACCESS_TOKEN.fullmatch(token.token):
                raise ValueError("an access token that is none")
            return ExpiringValue(token.token, datetime.fromtimestamp(token.expires_on, UTC))
        except Exception as error:
            logs.event(
                "identity refused",
                logging.WARNING,
                cause=type(error).__name__,
                status=getattr(error, "status_code", None),
                upstream_code=entra_code(error),
            )
            # The error's text lists what was tried, and sometimes the responses. The SDK takes JSON
            # as it comes, and raises whatever that leads to.
            raise Problem("credential_unavailable") from None

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token.get()}"}
