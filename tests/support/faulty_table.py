"""A table that fails when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from shared.storage.interfaces import Entity, StorageUnavailable, Table, Write

T = TypeVar("T")
Transact = Callable[[Sequence[Write]], list[Entity]]


class FaultyTable:
    """A `Table` that can become unavailable, before a write or after it, and counts its calls.

    `next_transact` stands in for the next transaction alone, `transact_hook` for every one.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self.unavailable = False
        self.lose_answers = False
        self.calls = 0
        self.transact_hook: Transact | None = None
        self.next_transact: Transact | None = None

    def get(self, partition: str, row: str) -> Entity | None:
        return self.request(lambda: self.table.get(partition, row))

    def query(
        self, partition: str, *, start: str = "", stop: str = "", limit: int = 1000
    ) -> list[Entity]:
        return self.request(
            lambda: self.table.query(partition, start=start, stop=stop, limit=limit)
        )

    def insert(self, entity: Entity) -> Entity:
        return self.request_write(lambda: self.table.insert(entity))

    def replace(self, entity: Entity) -> Entity:
        return self.request_write(lambda: self.table.replace(entity))

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        self.request(lambda: self.table.delete(partition, row, etag=etag))

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        hook, self.next_transact = self.next_transact or self.transact_hook, None
        return hook(writes) if hook else self.write(writes)

    def write(self, writes: Sequence[Write]) -> list[Entity]:
        """The transaction without hooks."""
        return self.request_write(lambda: self.table.transact(writes))

    def request(self, send: Callable[[], T]) -> T:
        self.calls += 1
        if self.unavailable:
            raise StorageUnavailable("made unavailable by the test")
        return send()

    def request_write(self, send: Callable[[], T]) -> T:
        answer = self.request(send)
        if self.lose_answers:
            raise StorageUnavailable("the answer was lost")
        return answer
