"""Storage on an Azure storage account, or on Azurite.

The SDK is imported where it is used, because every import lengthens a cold start: a broker that
only uses the ledger never loads the blob client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from shared.core.clock import Clock
from shared.core.http_session import open_transport
from shared.storage.azure_log import AzureLog
from shared.storage.azure_queue import AzureQueue
from shared.storage.azure_requests import DirectService
from shared.storage.azure_retry import RetryPolicy, Timeouts
from shared.storage.azure_signing import SignedText, queue_text, signer_of, table_text
from shared.storage.azure_table import AzureTable
from shared.storage.interfaces import ServiceUris, StorageUnavailable
from shared.storage.storage_clock import STORAGES_OWN, StorageClock
from shared.storage.validation import QUEUE_NAME, TABLE_NAME, check_name

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

T = TypeVar("T")


class AzureStorage:
    """`Storage` on one storage account. Nothing is sent until a table, queue or log is used."""

    def __init__(
        self, connection: str | ServiceUris, credential: TokenCredential | None, timeouts: Timeouts
    ) -> None:
        self.connection = connection
        self.credential = credential
        self.timeouts = timeouts
        self.retry = RetryPolicy(timeouts)
        self.lock = threading.RLock()
        self.opened: dict[tuple[str, str], Any] = {}
        self.clocks: list[StorageClock] = []

    @cached_property
    def transport(self) -> RequestsTransport:
        transport = open_transport(connect=self.timeouts.connect, read=self.timeouts.read)
        transport.session.hooks["response"].append(self.learn_time_of)
        return transport

    def corrected_clock(self, own: Clock) -> Clock:
        self.clocks.append(clock := StorageClock(own))
        return clock

    def learn_time_of(self, answer: requests.Response, **_: Any) -> None:
        """What an answer to the SDK says about the time."""
        self.learn_time(answer.headers, answer.elapsed)

    def learn_time(self, headers: Mapping[str, str], took: timedelta) -> None:
        """What every answer of storage says about the time."""
        if not all(name in headers for name in STORAGES_OWN):
            return
        for clock in self.clocks:
            clock.learn(headers.get("Date", ""), took)

    def service_client(self, kind: Any, uri: str) -> Any:
        """A service client of the SDK, with the SDK's own retries off."""
        options = {"transport": self.transport, "retry_total": 0}
        try:
            if isinstance(self.connection, ServiceUris):
                return kind(uri, credential=self.credential, **options)
            return kind.from_connection_string(self.connection, **options)
        except ValueError as error:
            raise StorageUnavailable("the storage connection cannot be used") from error

    @cached_property
    def table_service(self) -> TableServiceClient:
        from azure.data.tables import TableServiceClient

        client: TableServiceClient = self.service_client(TableServiceClient, self.uris.table)
        return client

    @cached_property
    def queue_service(self) -> QueueServiceClient:
        from azure.storage.queue import QueueServiceClient

        client: QueueServiceClient = self.service_client(QueueServiceClient, self.uris.queue)
        return client

    @cached_property
    def blob_service(self) -> BlobServiceClient:
        from azure.storage.blob import BlobServiceClient

        client: BlobServiceClient = self.service_client(BlobServiceClient, self.uris.blob)
        return client

    @cached_property
    def direct_tables(self) -> DirectService:
        return self.direct_service(self.table_service, table_text)

    @cached_property
    def direct_queues(self) -> DirectService:
        return self.direct_service(self.queue_service, queue_text)

    def direct_service(self, client: Any, text_to_sign: SignedText) -> DirectService:
        """Requests to the service of an SDK client, with its credential."""
        try:
            signer = signer_of(client.credential, client.url, text_to_sign)
        except ValueError as error:
            raise StorageUnavailable("the storage connection cannot be used") from error
        session = self.transport.session
        return DirectService(client.url, signer, session, self.timeouts, self.learn_time)

    @property
    def uris(self) -> ServiceUris:
        return (
            self.connection if isinstance(self.connection, ServiceUris) else ServiceUris("", "", "")
        )

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
                lambda: self.queue_service.get_queue_client(name),
                lambda: self.direct_queues,
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
                lambda: self.table_service.get_table_client(name),
                lambda: self.direct_tables,
            ),
        )

    def log(self, container: str) -> AzureLog:
        check_name(QUEUE_NAME, container)
        return self.open_once(
            "log",
            container,
            lambda: AzureLog(self.retry, lambda: self.blob_service.get_container_client(container)),
        )

    def close(self) -> None:
        """Closes the connections. The storage must not be used afterwards."""
        self.transport.session.close()


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
