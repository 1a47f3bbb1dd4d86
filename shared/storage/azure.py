"""Storage on an Azure storage account, or on Azurite.

The SDK is imported where it is used, since a cold start pays for every module: a broker that only
keeps a ledger never loads the blob client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from shared.storage.azure_log import AzureLog
from shared.storage.azure_queue import AzureQueue
from shared.storage.azure_retry import RetryPolicy, Timeouts
from shared.storage.azure_table import AzureTable
from shared.storage.interfaces import ServiceUris, StorageUnavailable
from shared.storage.validation import QUEUE_NAME, TABLE_NAME, check_name

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

T = TypeVar("T")

CONNECTIONS = 256
"""Kept open to one host: as many as a worker has threads for calls."""


class AzureStorage:
    """`shared.storage.Storage` on one storage account. Nothing is sent until a seam is used."""

    def __init__(
        self, connection: str | ServiceUris, credential: TokenCredential | None, patience: Timeouts
    ) -> None:
        self.connection = connection
        self.credential = credential
        self.patience = patience
        self.wire = RetryPolicy(patience)
        self.lock = threading.RLock()
        self.seams: dict[tuple[str, str], Any] = {}

    @cached_property
    def session(self) -> requests.Session:
        import requests

        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
        return session

    @cached_property
    def transport(self) -> RequestsTransport:
        from azure.core.pipeline.transport import RequestsTransport

        return RequestsTransport(
            session=self.session,
            session_owner=False,
            connection_timeout=self.patience.connect.total_seconds(),
            read_timeout=self.patience.read.total_seconds(),
        )

    def service(self, kind: Any, uri: str) -> Any:
        """A service client of the SDK, without retries of its own."""
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

        client: TableServiceClient = self.service(TableServiceClient, self.uris.table)
        return client

    @cached_property
    def queue_service(self) -> QueueServiceClient:
        from azure.storage.queue import QueueServiceClient

        client: QueueServiceClient = self.service(QueueServiceClient, self.uris.queue)
        return client

    @cached_property
    def blob_service(self) -> BlobServiceClient:
        from azure.storage.blob import BlobServiceClient

        client: BlobServiceClient = self.service(BlobServiceClient, self.uris.blob)
        return client

    @property
    def uris(self) -> ServiceUris:
        return (
            self.connection if isinstance(self.connection, ServiceUris) else ServiceUris("", "", "")
        )

    def seam(self, kind: str, name: str, build: Callable[[], T]) -> T:
        with self.lock:
            if (kind, name) not in self.seams:
                self.seams[kind, name] = build()
            found: T = self.seams[kind, name]
            return found

    def queue(self, name: str) -> AzureQueue:
        check_name(QUEUE_NAME, name)
        return self.seam(
            "queue",
            name,
            lambda: AzureQueue(self.wire, lambda: self.queue_service.get_queue_client(name)),
        )

    def table(self, name: str) -> AzureTable:
        check_name(TABLE_NAME, name)
        return self.seam(
            "table",
            name,
            lambda: AzureTable(self.wire, lambda: self.table_service.get_table_client(name)),
        )

    def log(self, container: str) -> AzureLog:
        check_name(QUEUE_NAME, container)
        return self.seam(
            "log",
            container,
            lambda: AzureLog(self.wire, lambda: self.blob_service.get_container_client(container)),
        )

    def close(self) -> None:
        """Closes the connections. The storage must not be used afterwards."""
        self.session.close()


def open_storage(
    connection: str | ServiceUris,
    *,
    credential: TokenCredential | None = None,
    patience: Timeouts | None = None,
) -> AzureStorage:
    """Storage on the account that `connection` names; nothing is sent yet.

    `connection` is a connection string (`UseDevelopmentStorage=true` is Azurite on its usual
    ports), or the three service URIs, reached with `credential`.
    """
    return AzureStorage(connection, credential, patience or Timeouts())
