"""Chooses the storage: the account that AzureWebJobsStorage names, or this process's memory.

The setting is read as Functions reads it: a connection string, or
`AzureWebJobsStorage__{blob,queue,table}ServiceUri` (or `__accountName`) with an identity
(Microsoft's 'Identity-based connections').
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from shared.storage.interfaces import ServiceUris, Storage

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

CONNECTION = "AzureWebJobsStorage"
SERVICES = ("blob", "queue", "table")


def service_uris(env: Mapping[str, str]) -> ServiceUris | None:
    """The three service endpoints, if each of them or the account is named."""
    account = env.get(f"{CONNECTION}__accountName", "")
    uris = [
        env.get(f"{CONNECTION}__{kind}ServiceUri", "")
        or (account and f"https://{account}.{kind}.core.windows.net")
        for kind in SERVICES
    ]
    return ServiceUris(*uris) if all(uris) else None


def is_configured(env: Mapping[str, str]) -> bool:
    """Whether the environment names a storage account."""
    return bool(env.get(CONNECTION)) or service_uris(env) is not None


def with_connection(env: Mapping[str, str], name: str) -> dict[str, str]:
    """The environment as if the connection of that name were AzureWebJobsStorage."""
    kept = {
        each: value
        for each, value in env.items()
        if each.partition("__")[0] not in (CONNECTION, name)
    }
    named = {
        CONNECTION + each.removeprefix(name): value
        for each, value in env.items()
        if each.partition("__")[0] == name
    }
    return kept | named


def open_storage_from_env(
    env: Mapping[str, str], identity: Callable[[], TokenCredential]
) -> Storage:
    """The storage of this app. `identity` is called only if no connection string is set."""
    connection, uris = env.get(CONNECTION, ""), service_uris(env)
    if not connection and uris is None:
        from shared.storage.memory import process_storage

        return process_storage()
    from shared.storage.azure import open_storage

    if connection:
        return open_storage(connection)
    assert uris is not None
    return open_storage(uris, credential=identity())
