"""What the broker needs from storage: queues, tables and append-only logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from shared.core.clock import Clock

Value = str | int | float | bool | datetime | bytes

MESSAGE_BYTES = 48 * 1024
"""The largest body of a message: 64 KiB once it is base64, which Azure Functions expects."""
RECEIVE_AT_MOST = 32
DELAY_AT_MOST = timedelta(days=7)
TRANSACTION_AT_MOST = 100
APPEND_BYTES = 4 * 1024 * 1024
APPENDS_AT_MOST = 50_000


class StorageError(Exception):
    """Base of all storage errors."""


class StorageUnavailable(StorageError):
    """Storage is unreachable or failing, or refuses our identity. The text holds no secret."""


class WriteRefused(StorageUnavailable):
    """Storage does not take what was to be written, now or later: it is too large, or has a form
    that storage does not know."""


class Conflict(StorageError):
    """The row or the log has changed since the writer read it; nothing was written.

    `index` says which write of a transaction failed, where that is known.
    """

    def __init__(self, message: str = "changed by another writer", *, index: int | None = None):
        super().__init__(message)
        self.index = index


class Exists(Conflict):
    """A row with that key exists already; nothing was written."""


class StaleReceipt(StorageError):
    """The message has been received by another or deleted; nothing was changed."""


class LogFull(StorageError):
    """The log has reached the limit of an append blob: 50,000 appends."""


Malformed = Literal["", "base64", "utf-8"]
"""What the content of a message is not, if somebody else sent it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received message. `dequeue_count` includes this delivery, so it starts at 1.

    Content that is not base64 of UTF-8 is not ours: `malformed` says so, and `body` is the content.
    """

    id: str
    body: str
    dequeue_count: int
    receipt: str
    malformed: Malformed = ""


class Queue(Protocol):
    """A queue that delivers each message at least once."""

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        """Adds a message, invisible for `delay` (rounded up to whole seconds; at most 7 days).

        It never expires. `encoded`: the body is the content of a malformed message, and stays as it
        is. Raises ValueError for a body over 48 KiB of UTF-8, or content over 64 KiB.
        """

    def receive(self, *, visibility: timedelta, limit: int = 1) -> list[Message]:
        """Receives up to `limit` (at most 32) messages, invisible to others for `visibility` (at
        least 1 s).

        A message that is not deleted by then is redelivered with a higher `dequeue_count`.
        """

    def extend(self, message: Message, visibility: timedelta) -> Message:
        """Keeps the message invisible for `visibility` from now on; returns it with its new
        receipt.

        Raises StaleReceipt if another has received it since, or if it is gone.
        """

    def delete(self, message: Message) -> None:
        """Deletes the message; does nothing if it is gone.

        Raises StaleReceipt, and deletes nothing, if another has received it since.
        """


@dataclass(frozen=True, slots=True)
class Entity:
    """One row. `etag` is the version that was read; empty for a row not yet written."""

    partition: str
    row: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = ""

    def with_values(self, values: Mapping[str, Value]) -> Entity:
        """The same version of the row with other values, for `replace`."""
        return Entity(self.partition, self.row, dict(values), self.etag)


@dataclass(frozen=True, slots=True)
class Write:
    """One step of a transaction. `replace` and `delete` are conditional on the entity's etag."""

    kind: Literal["insert", "replace", "delete"]
    entity: Entity


class Table(Protocol):
    """Rows with a partition key, a row key and a version.

    Keys are 1 to 512 printable ASCII characters without ``/ \\ # ?``.
    """

    def get(self, partition: str, row: str) -> Entity | None:
        """The row as it is now, or None."""

    def query(
        self, partition: str, *, start: str = "", stop: str = "", limit: int = 1000
    ) -> list[Entity]:
        """Rows of one partition, sorted by key, `start` <= key < `stop`."""

    def insert(self, entity: Entity) -> Entity:
        """Writes a new row; returns it with its etag. Raises Exists."""

    def replace(self, entity: Entity) -> Entity:
        """Replaces all values if the row still has the entity's etag. Raises Conflict."""

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        """Deletes the row; does nothing if there is none.

        With an `etag` only that version is deleted. Raises Conflict for any other version, and if
        the row is gone.
        """

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        """Makes up to 100 writes to different rows of one partition: all of them or none.

        Returns the rows with their new etags. Raises Conflict or Exists, with the `index` of the
        write that failed.
        """


class Log(Protocol):
    """Append-only files, of whole lines or of audio, in the order in which they were appended. The
    end of a name says which: what ends in ``.wav`` is stored as audio."""

    def append(self, name: str, data: bytes, *, at: int) -> int:
        """Appends `data` (1 byte to 4 MiB) at position `at`; returns the position after it.

        A repeated append changes nothing and returns the same, so what two writers append alike is
        stored once. Raises Conflict if there is something else at `at` or the log ends before it,
        LogFull after 50,000 appends: append several lines at a time.
        """

    def read(self, name: str, *, start: int = 0, size: int | None = None) -> bytes:
        """Everything from `start` on, or up to `size` bytes (1 or more) of it; empty if the log is
        shorter or does not exist."""

    def length(self, name: str) -> int:
        """The position after the last byte; 0 if there is no such log."""

    def names(self, prefix: str = "") -> list[str]:
        """The names of the logs that start with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Deletes the log; does nothing if there is none."""


class Storage(Protocol):
    """Opens queues, tables and logs; each is created at its first use if it does not exist."""

    def queue(self, name: str) -> Queue:
        """A queue: 3 to 63 lower-case letters, digits and single hyphens."""

    def table(self, name: str) -> Table:
        """A table: 3 to 63 letters and digits, starting with a letter."""

    def log(self, container: str) -> Log:
        """The logs of one container, named like a queue."""

    def corrected_clock(self, own: Clock) -> Clock:
        """`own`, corrected by the clock of storage, which all instances share."""


@dataclass(frozen=True, slots=True)
class ServiceUris:
    """The three service endpoints of a storage account that is used with an identity, not a key."""

    blob: str
    queue: str
    table: str
