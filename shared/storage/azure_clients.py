"""What sends to the services of an Azure storage account: the SDK's clients, and requests without
the SDK.

The SDK is imported where it is used, because every import lengthens a cold start: a broker that
only uses the ledger never loads the blob client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.core.http_session import open_transport
from shared.storage.azure_requests import DirectService
from shared.storage.azure_retry import Timeouts
from shared.storage.azure_signing import SignedText, queue_text, signer_of, table_text
from shared.storage.interfaces import ServiceUris, StorageUnavailable
from shared.storage.storage_clock import STORAGES_OWN, StorageClock

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient


class AzureClients:
    """The clients of one account, each opened when it is first used, on one transport. `clocks`
    learn the time from every answer."""

    def __init__(
        self, connection: str | ServiceUris, credential: TokenCredential | None, timeouts: Timeouts
    ) -> None:
        self.connection = connection
        self.credential = credential
        self.timeouts = timeouts
        self.clocks: list[StorageClock] = []

    @cached_property
    def transport(self) -> RequestsTransport:
        transport = open_transport(connect=self.timeouts.connect, read=self.timeouts.read)
        transport.session.hooks["response"].append(self.learn_time_of)
        return transport

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

    def close(self) -> None:
        """Closes the connections."""
        self.transport.session.close()
