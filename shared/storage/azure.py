"""Storage on an Azure storage account, or on Azurite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from shared.core.clock import Clock
from shared.storage.azure_clients import AzureClients
from shared.storage.azure_log import AzureLog
from shared.storage.azure_queue import AzureQueue
from shared.storage.azure_retry import RetryPolicy, Timeouts
from shared.storage.azure_table import AzureTable
from shared.storage.interfaces import ServiceUris
from shared.storage.storage_clock import StorageClock
from shared.storage.validation import QUEUE_NAME, TABLE_NAME, check_name

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

T = TypeVar("T")


class AzureStorage:
    """`Storage` on one storage account. Nothing is sent until a table, queue or log is used."""

    def __init__(
        self, connection: str | ServiceUris, credential: TokenCredential | None, timeouts: Timeouts
    ) -> None:
        self.clients = AzureClients(connection, credential, timeouts)
        self.retry = RetryPolicy(timeouts)
        self.lock = threading.RLock()
        self.opened: dict[tuple[str, str], Any] = {}

    def corrected_clock(self, own: Clock) -> Clock:
        self.clients.clocks.append(clock := StorageClock(own))
        return clock

    def open_once(self, kind: str, name: str, build: Callable[[], T]) -> T:
        with self.lock:
            if (kind, name) not in self.opened:
                self.opened[kind, name] = build()
            found: T = self.opened[kind, name]
            return found

    def queue(self, name: str) -> AzureQueue:
        check_name(QUEUE_NAME, name)
        return self.open_once(
            "queue",
            name,
            lambda: AzureQueue(
                name,
                self.retry,
                lambda: self.clients.queue_service.get_queue_client(name),
                lambda: self.clients.direct_queues,
            ),
        )

    def table(self, name: str) -> AzureTable:
        check_name(TABLE_NAME, name)
        return self.open_once(
            "table",
            name,
            lambda: AzureTable(
                name,
                self.retry,
                lambda: self.clients.table_service.get_table_client(name),
                lambda: self.clients.direct_tables,
            ),
        )

    def log(self, container: str) -> AzureLog:
        check_name(QUEUE_NAME, container)
        return self.open_once(
            "log",
            container,
            lambda: AzureLog(
                self.retry, lambda: self.clients.blob_service.get_container_client(container)
            ),
        )

    def close(self) -> None:
        """Closes the connections. The storage must not be used afterwards."""
        self.clients.close()


def open_storage(
    connection: str | ServiceUris,
    *,
    credential: TokenCredential | None = None,
    timeouts: Timeouts | None = None,
) -> AzureStorage:
    """Storage on the account that `connection` names; nothing is sent yet.

    `connection` is a connection string (`UseDevelopmentStorage=true` is Azurite on its default
    ports), or the three service URIs, which are accessed with `credential`.
    """
    return AzureStorage(connection, credential, timeouts or Timeouts())
