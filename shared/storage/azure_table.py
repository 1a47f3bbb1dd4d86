"""`Table` on Azure Table Storage."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from shared.storage.azure_requests import DirectService
from shared.storage.azure_retry import ContainerMissing, Missing, RetryPolicy
from shared.storage.azure_rows import (
    INSERT,
    READ,
    WRITE,
    from_json,
    row_path,
    to_json,
    transaction_body,
    with_new_etag,
    written_by,
)
from shared.storage.interfaces import Conflict, Entity, Value, Write
from shared.storage.validation import check_key, check_writes, normalize_value

if TYPE_CHECKING:
    from azure.data.tables import TableClient

T = TypeVar("T")

BATCH = {"Accept": "application/json", "DataServiceVersion": "3.0", "MaxDataServiceVersion": "3.0"}


class AzureTable:
    """`Table` on Azure Table Storage."""

    def __init__(
        self,
        name: str,
        retry: RetryPolicy,
        client: Callable[[], TableClient],
        direct: Callable[[], DirectService],
    ) -> None:
        self.name = name
        self.retry = retry
        self.connect = client
        self.direct = direct

    @cached_property
    def client(self) -> TableClient:
        return self.connect()

    @property
    def single_writes(self) -> Mapping[str, Callable[[Entity], Entity]]:
        """The writes that need no transaction; `delete` says why it is not one of them."""
        return {"insert": self.insert, "replace": self.replace}

    def call_or_create(self, attempt: Callable[[], T]) -> T:
        return self.retry.call(attempt, create=lambda: self.client.create_table())

    def get(self, partition: str, row: str) -> Entity | None:
        check_key(partition)
        check_key(row)
        path = row_path(self.name, partition, row)
        try:
            return self.retry.call(
                lambda: from_json(self.direct().send("GET", path, READ, expected=200).body)
            )
        except (Missing, ContainerMissing):
            return None

    def query(
        self, partition: str, *, start: str = "", stop: str = "", limit: int = 1000
    ) -> list[Entity]:
        wanted = "PartitionKey eq @partition and RowKey ge @start"
        parameters = {"partition": check_key(partition), "start": start}
        if stop:
            wanted += " and RowKey lt @stop"
            parameters["stop"] = stop

        def rows() -> list[Entity]:
            found = self.client.query_entities(
                wanted, parameters=parameters, results_per_page=min(limit, 1000)
            )
            return [from_row(row) for row, _ in zip(found, range(limit), strict=False)]

        try:
            return self.retry.call(rows)
        except ContainerMissing:
            return []

    def insert(self, entity: Entity) -> Entity:
        body = to_json(entity)
        return self.call_or_create(
            lambda: with_new_etag(
                entity,
                self.direct().send("POST", f"/{self.name}", INSERT, body, expected=204).headers,
            )
        )

    def replace(self, entity: Entity) -> Entity:
        body = to_json(entity)
        if not entity.etag:
            raise ValueError("replace needs an etag")
        path = row_path(self.name, entity.partition, entity.row)
        headers = {**WRITE, "If-Match": entity.etag}
        try:
            return self.call_or_create(
                lambda: with_new_etag(
                    entity, self.direct().send("PUT", path, headers, body, expected=204).headers
                )
            )
        except Missing as error:
            raise Conflict("the row is gone") from error

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        check_key(partition)
        check_key(row)
        if etag:
            # The SDK's own delete succeeds for a row that does not exist, even with an etag.
            self.transact([Write("delete", Entity(partition, row, etag=etag))])
            return
        try:
            self.retry.call(lambda: self.client.delete_entity(partition, row))
        except (Missing, ContainerMissing):
            return

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        if len(check_writes(writes)) == 1 and writes[0].kind in self.single_writes:
            # A write alone costs less than a transaction of one.
            try:
                return [self.single_writes[writes[0].kind](writes[0].entity)]
            except Conflict as conflict:
                conflict.index = 0
                raise
        mark = uuid.uuid4().hex
        kind = {**BATCH, "Content-Type": f"multipart/mixed; boundary=batch_{mark}"}

        def attempt() -> list[Entity]:
            direct = self.direct()
            body = transaction_body(direct.origin + direct.path, self.name, writes, mark)
            answer = direct.send("POST", "/$batch", kind, body, expected=202)
            return written_by(writes, answer.body)

        return self.call_or_create(attempt)


def from_row(row: Any) -> Entity:
    """The entity in a row of the SDK."""
    values: dict[str, Value] = {}
    for name, value in row.items():
        if name in ("PartitionKey", "RowKey"):
            continue
        value = getattr(value, "value", value)
        values[name] = normalize_value(value) if isinstance(value, datetime) else value
    return Entity(row["PartitionKey"], row["RowKey"], values, row.metadata["etag"])
