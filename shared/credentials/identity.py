"""The app's managed identity, or a developer's own sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


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
