"""The app's managed identity in Azure, or the developer's own sign-in elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.core.http_session import open_transport

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


IDENTITY_TIMEOUT = timedelta(seconds=5)
IDENTITY_CONNECTIONS = 4


def open_identity(env: Mapping[str, str], connection: str = "") -> TokenCredential:
    """The identity that the app signs in with. Open one and keep it as long as the process lives.

    IDENTITY_ENDPOINT is set where there is a managed identity. AZURE_CLIENT_ID, or
    `<connection>__clientId` for the resource behind that connection, chooses a user-assigned one.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

    client = env.get(f"{connection}__clientId") or env.get("AZURE_CLIENT_ID") or None
    if env.get("IDENTITY_ENDPOINT"):
        transport = open_transport(
            connect=IDENTITY_TIMEOUT, read=IDENTITY_TIMEOUT, connections=IDENTITY_CONNECTIONS
        )
        return ManagedIdentityCredential(client_id=client, transport=transport)
    return DefaultAzureCredential(exclude_interactive_browser_credential=True)
