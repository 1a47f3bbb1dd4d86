"""What the broker needs of storage: queues, tables and append-only logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

Value = str | int | float | bool | datetime | bytes


MESSAGE_BYTES = 48 * 1024
"""The largest body of a message: 64 KiB on the wire, base64 as Azure Functions expects it."""


RECEIVE_AT_MOST = 32


DELAY_AT_MOST = timedelta(days=7)


TRANSACTION_AT_MOST = 100


APPEND_BYTES = 4 * 1024 * 1024


APPENDS_AT_MOST = 50_000


class StorageError(Exception):
    """The family of all errors of storage."""


class StorageUnavailable(StorageError):
    """Storage is away, failing, or does not accept who we are. The text holds no secret."""


class Conflict(StorageError):
    """The row or the log is no longer as the writer believed; nothing was written.

    `index` is the write of a transaction that failed, where that is known.
    """

    def __init__(self, message: str = "changed by another writer", *, index: int | None = None):
        super().__init__(message)
        self.index = index


class Exists(Conflict):
    """There is a row of that key already; nothing was written."""


class StaleReceipt(StorageError):
    """The message was received by another since, or is gone; nothing was changed."""


class LogFull(StorageError):
    """The log has had as many appends as an append blob takes (50,000)."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received message. `dequeue_count` counts this receipt, so it starts at 1."""

    id: str
    body: str
    dequeue_count: int
    receipt: str


class Queue(Protocol):
    """Messages that each reach at least one receiver, at least once."""

    def send(self, body: str, *, delay: timedelta = timedelta(0)) -> None:
        """Adds a message, hidden for `delay` (whole seconds, rounded up; at most 7 days).

        It never expires. A body over 48 KiB of UTF-8 is a ValueError.
        """

    def receive(self, *, visibility: timedelta, limit: int = 1) -> list[Message]:
        """Takes up to `limit` (at most 32) messages and hides them for `visibility` (1 s or more).

        A message that is not deleted by then comes back with a higher `dequeue_count`.
        """

    def extend(self, message: Message, visibility: timedelta) -> Message:
        """Hides the message for `visibility` from now on and gives it with its new receipt.

        Raises StaleReceipt if another has received it since, or if it is gone.
        """

    def delete(self, message: Message) -> None:
        """Deletes the message. One that is gone already is fine.

        Raises StaleReceipt, and deletes nothing, if another has received it since.
        """


@dataclass(frozen=True, slots=True)
class Entity:
    """One row. `etag` names the version that was read; empty for a row not yet written."""

    partition: str
    row: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = ""

    def with_values(self, values: Mapping[str, Value]) -> Entity:
        """The same version of the row with other values, ready for `replace`."""
        return replace(self, values=dict(values))


@dataclass(frozen=True, slots=True)
class Write:
    """One step of a transaction. `replace` and `delete` hold only for the entity's etag."""

    kind: Literal["insert", "replace", "upsert", "delete"]
    entity: Entity


class Table(Protocol):
    """Rows under a partition key and a row key, with a version each.

    Keys are 1 to 512 printable ASCII characters without ``/ \\ # ?``.
    """

    def get(self, partition: str, row: str) -> Entity | None:
        """The row as it is now, or None."""

    def query(
        self, partition: str, *, start: str = "", stop: str = "", limit: int = 1000
    ) -> list[Entity]:
        """Rows of one partition in the order of their keys, `start` <= key < `stop`."""

    def insert(self, entity: Entity) -> Entity:
        """Writes a new row and gives it with its etag. Raises Exists."""

    def replace(self, entity: Entity) -> Entity:
        """Writes all values anew if the row still has the entity's etag. Raises Conflict."""

    def upsert(self, entity: Entity) -> Entity:
        """Writes the row whatever was there."""

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        """Deletes the row; one that is not there is fine.

        With an `etag` it is deleted only in that version, else Conflict (also when it is gone).
        """

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        """Up to 100 writes to different rows of one partition: all of them or none.

        Gives the rows with their new etags. Raises Conflict or Exists with the `index` of the
        write that failed.
        """


class Log(Protocol):
    """Append-only files of bytes: whole lines, in the order they were added."""

    def append(self, name: str, data: bytes, *, at: int) -> int:
        """Adds `data` (1 byte to 4 MiB) at position `at` and gives the position after it.

        Repeating an append changes nothing and gives the same answer, so two writers that tell
        the same story tell it once. Raises Conflict if something else stands at `at` or the log
        ends before it, LogFull after 50,000 appends: put several lines into one.
        """

    def read(self, name: str, *, start: int = 0) -> bytes:
        """Everything from `start` on; empty if the log is shorter or not there."""

    def length(self, name: str) -> int:
        """The position after the last byte; 0 if there is no such log."""

    def names(self, prefix: str = "") -> list[str]:
        """The names of the logs that begin with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Deletes the log; one that is not there is fine."""


class Storage(Protocol):
    """Where queues, tables and logs come from. Each is made at its first use if it is missing."""

    def queue(self, name: str) -> Queue:
        """A queue: 3 to 63 lower-case letters, digits and single hyphens."""

    def table(self, name: str) -> Table:
        """A table: 3 to 63 letters and digits, a letter first."""

    def log(self, container: str) -> Log:
        """The logs of one container, named like a queue."""


@dataclass(frozen=True, slots=True)
class ServiceUris:
    """The three endpoints of a storage account that is reached with an identity, not a key."""

    blob: str
    queue: str
    table: str
