"""`Table` on Azure Table Storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from shared.storage.azure_retry import ContainerMissing, Missing, RetryPolicy
from shared.storage.interfaces import Conflict, Entity, Value, Write
from shared.storage.validation import check_entity, check_key, check_writes, normalize_value

if TYPE_CHECKING:
    from azure.data.tables import TableClient

T = TypeVar("T")

NO_CONTENT = {"response_preference": "return-no-content"}
"""Of an insert. Storage sends the row back otherwise, and that can be cut short."""


class AzureTable:
    """`Table` on Azure Table Storage."""

    def __init__(self, retry: RetryPolicy, client: Callable[[], TableClient]) -> None:
        self.retry = retry
        self.connect = client

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
        try:
            return self.retry.call(lambda: from_row(self.client.get_entity(partition, row)))
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
        row = to_row(entity)
        return self.call_or_create(
            lambda: with_new_etag(entity, self.client.create_entity(row, **NO_CONTENT))
        )

    def replace(self, entity: Entity) -> Entity:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        row = to_row(entity)
        if not entity.etag:
            raise ValueError("replace needs an etag")
        try:
            return self.call_or_create(
                lambda: with_new_etag(
                    entity,
                    self.client.update_entity(
                        row,
                        mode=UpdateMode.REPLACE,
                        etag=entity.etag,
                        match_condition=MatchConditions.IfNotModified,
                    ),
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
            # A transaction of one write takes three times as long as the write alone, measured: the
            # SDK parses a multipart message in a thread of its own (docs/performance.md).
            try:
                return [self.single_writes[writes[0].kind](writes[0].entity)]
            except Conflict as conflict:
                conflict.index = 0
                raise
        steps = [transaction_step(write) for write in writes]
        return self.call_or_create(
            lambda: [
                write.entity if write.kind == "delete" else with_new_etag(write.entity, answer)
                for write, answer in zip(writes, self.client.submit_transaction(steps), strict=True)
            ]
        )


def transaction_step(write: Write) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One write of a transaction, in the SDK's form."""
    from azure.core import MatchConditions

    row = to_row(write.entity)
    condition = {"etag": write.entity.etag, "match_condition": MatchConditions.IfNotModified}
    if write.kind == "insert":
        return "create", row, NO_CONTENT
    if write.kind == "delete":
        return "delete", row, condition
    return "update", row, {"mode": "replace", **condition}


def to_row(entity: Entity) -> dict[str, Any]:
    """The entity in the SDK's form, with every whole number as a 64-bit one."""
    from azure.data.tables import EdmType, EntityProperty

    check_entity(entity)
    row: dict[str, Any] = {"PartitionKey": entity.partition, "RowKey": entity.row}
    for name, value in entity.values.items():
        if isinstance(value, int) and not isinstance(value, bool):
            row[name] = EntityProperty(value, EdmType.INT64)
        else:
            row[name] = normalize_value(value)
    return row


def from_row(row: Any) -> Entity:
    """The entity in a row of the SDK."""
    values: dict[str, Value] = {}
    for name, value in row.items():
        if name in ("PartitionKey", "RowKey"):
            continue
        value = getattr(value, "value", value)
        values[name] = normalize_value(value) if isinstance(value, datetime) else value
    return Entity(row["PartitionKey"], row["RowKey"], values, row.metadata["etag"])


def with_new_etag(entity: Entity, answer: Mapping[str, Any]) -> Entity:
    """The entity with the etag in the service's answer. Raises ValueError if that has none."""
    if not answer.get("etag"):
        raise ValueError("not an answer to a write")
    return replace(entity, etag=str(answer["etag"]))
