"""`shared.storage.Table` on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from shared.storage.azure_retry import ContainerMissing, Missing, RetryPolicy
from shared.storage.interfaces import Conflict, Entity, Value, Write
from shared.storage.validation import check_entity, check_key, check_writes, plain

if TYPE_CHECKING:
    from azure.data.tables import TableClient

T = TypeVar("T")


class AzureTable:
    """`shared.storage.Table` on Azure Table Storage."""

    def __init__(self, wire: RetryPolicy, client: Callable[[], TableClient]) -> None:
        self.wire = wire
        self.connect = client

    @cached_property
    def client(self) -> TableClient:
        return self.connect()

    @property
    def alone(self) -> Mapping[str, Callable[[Entity], Entity]]:
        """The writes that can be made without a transaction; `delete` says why it cannot."""
        return {"insert": self.insert, "replace": self.replace, "upsert": self.upsert}

    def call(self, attempt: Callable[[], T]) -> T:
        return self.wire.call(attempt, make=lambda: self.client.create_table())

    def get(self, partition: str, row: str) -> Entity | None:
        check_key(partition)
        check_key(row)
        try:
            return from_row(self.wire.call(lambda: self.client.get_entity(partition, row)))
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
            return self.wire.call(rows)
        except ContainerMissing:
            return []

    def insert(self, entity: Entity) -> Entity:
        row = to_row(entity)
        return written(entity, self.call(lambda: self.client.create_entity(row)))

    def replace(self, entity: Entity) -> Entity:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        row = to_row(entity)
        if not entity.etag:
            raise ValueError("replace needs an etag")
        try:
            answer = self.call(
                lambda: self.client.update_entity(
                    row,
                    mode=UpdateMode.REPLACE,
                    etag=entity.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
            )
        except Missing as error:
            raise Conflict("the row is gone") from error
        return written(entity, answer)

    def upsert(self, entity: Entity) -> Entity:
        from azure.data.tables import UpdateMode

        row = to_row(entity)
        answer = self.call(lambda: self.client.upsert_entity(row, mode=UpdateMode.REPLACE))
        return written(entity, answer)

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        check_key(partition)
        check_key(row)
        if etag:
            # The SDK's own delete takes a row that is not there for a success, etag or not.
            self.transact([Write("delete", Entity(partition, row, etag=etag))])
            return
        try:
            self.wire.call(lambda: self.client.delete_entity(partition, row))
        except (Missing, ContainerMissing):
            return

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        if len(check_writes(writes)) == 1 and writes[0].kind in self.alone:
            # A transaction of one costs three times what the write alone does, measured: the SDK
            # takes a multipart message apart in a thread of its own (docs/performance.md).
            try:
                return [self.alone[writes[0].kind](writes[0].entity)]
            except Conflict as conflict:
                conflict.index = 0
                raise
        steps = [step(write) for write in writes]
        answers = self.call(lambda: self.client.submit_transaction(steps))
        return [
            written(write.entity, answer) for write, answer in zip(writes, answers, strict=True)
        ]


def step(write: Write) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One write of a transaction as the SDK takes it."""
    from azure.core import MatchConditions

    row = to_row(write.entity)
    condition = {"etag": write.entity.etag, "match_condition": MatchConditions.IfNotModified}
    if write.kind == "insert":
        return "create", row, {}
    if write.kind == "delete":
        return "delete", row, condition
    if write.kind == "upsert":
        return "upsert", row, {"mode": "replace"}
    return "update", row, {"mode": "replace", **condition}


def to_row(entity: Entity) -> dict[str, Any]:
    """The entity as the SDK takes it: whole numbers always as 64-bit ones."""
    from azure.data.tables import EdmType, EntityProperty

    check_entity(entity)
    row: dict[str, Any] = {"PartitionKey": entity.partition, "RowKey": entity.row}
    for name, value in entity.values.items():
        if isinstance(value, int) and not isinstance(value, bool):
            row[name] = EntityProperty(value, EdmType.INT64)
        else:
            row[name] = plain(value)
    return row


def from_row(row: Any) -> Entity:
    """A row of the SDK as an entity."""
    values: dict[str, Value] = {}
    for name, value in row.items():
        if name in ("PartitionKey", "RowKey"):
            continue
        value = getattr(value, "value", value)
        values[name] = plain(value) if isinstance(value, datetime) else value
    return Entity(row["PartitionKey"], row["RowKey"], values, row.metadata["etag"])


def written(entity: Entity, answer: Mapping[str, Any]) -> Entity:
    """The entity with the etag that the service answered."""
    return replace(entity, etag=str(answer.get("etag") or ""))
