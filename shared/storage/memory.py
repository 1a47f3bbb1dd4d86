"""Storage in this process's memory, for a laptop and for tests.

It behaves like `shared.storage.azure` (etags, visibility, append positions), is safe to use from
many threads and is gone when the process ends. The clock is a parameter, so that tests can set it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from types import MappingProxyType

from shared.core.clock import EPOCH, Clock, utc_now
from shared.storage.interfaces import (
    APPENDS_AT_MOST,
    RECEIVE_AT_MOST,
    Conflict,
    Entity,
    Exists,
    LogFull,
    Malformed,
    Message,
    StaleReceipt,
    Write,
)
from shared.storage.message_content import check_content, decode_message
from shared.storage.validation import (
    LOG_NAME,
    QUEUE_NAME,
    TABLE_NAME,
    check_append,
    check_key,
    check_message,
    check_name,
    check_range,
    check_writes,
    normalize_value,
    whole_seconds,
)


@dataclass(slots=True)
class QueuedMessage:
    """A message in a queue, and when it becomes visible."""

    body: str
    visible_at: datetime
    dequeue_count: int = 0
    receipt: str = ""
    malformed: Malformed = ""


def encoded_message(content: str) -> QueuedMessage:
    body, malformed = decode_message(check_content(content))
    return QueuedMessage(body, EPOCH, malformed=malformed)


class MemoryQueue:
    """`Queue` in memory.

    `order` is a heap of the times at which messages become visible; entries that are out of date
    are skipped. Without it every poll of the end queue would go through all live calls.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.numbers = count(1)
        self.messages: dict[str, QueuedMessage] = {}
        self.order: list[tuple[datetime, int, str]] = []

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        waiting = (
            QueuedMessage(check_message(body), EPOCH) if not encoded else encoded_message(body)
        )
        visible_at = self.clock() + timedelta(seconds=whole_seconds(delay))
        with self.lock:
            identifier = f"message-{next(self.numbers)}"
            self.messages[identifier] = waiting
            self.hide_message(identifier, waiting, visible_at)

    def receive(self, *, visibility: timedelta, limit: int = 1) -> list[Message]:
        hidden = timedelta(seconds=whole_seconds(visibility, least=1))
        if not 1 <= limit <= RECEIVE_AT_MOST:
            raise ValueError("a receiver takes 1 to 32 messages")
        received: list[Message] = []
        with self.lock:
            now = self.clock()
            while self.order and self.order[0][0] <= now and len(received) < limit:
                visible_at, _, identifier = heappop(self.order)
                waiting = self.messages.get(identifier)
                if waiting is None or waiting.visible_at != visible_at:
                    continue
                self.hide_message(identifier, waiting, now + hidden)
                waiting.dequeue_count += 1
                waiting.receipt = f"receipt-{next(self.numbers)}"
                received.append(
                    Message(
                        identifier,
                        waiting.body,
                        waiting.dequeue_count,
                        waiting.receipt,
                        waiting.malformed,
                    )
                )
        return received

    def hide_message(self, identifier: str, waiting: QueuedMessage, until: datetime) -> None:
        """Makes a message invisible until then. The lock is held."""
        waiting.visible_at = until
        heappush(self.order, (until, next(self.numbers), identifier))

    def extend(self, message: Message, visibility: timedelta) -> Message:
        hidden = timedelta(seconds=whole_seconds(visibility))
        with self.lock:
            waiting = self.messages.get(message.id)
            if waiting is None or waiting.receipt != message.receipt:
                raise StaleReceipt("received by another since, or gone")
            self.hide_message(message.id, waiting, self.clock() + hidden)
            waiting.receipt = f"receipt-{next(self.numbers)}"
            return replace(message, receipt=waiting.receipt)

    def delete(self, message: Message) -> None:
        with self.lock:
            waiting = self.messages.get(message.id)
            if waiting is None:
                return
            if waiting.receipt != message.receipt:
                raise StaleReceipt("received by another since")
            del self.messages[message.id]


class MemoryTable:
    """`Table` in memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions = count(1)
        self.rows: dict[tuple[str, str], Entity] = {}

    def get(self, partition: str, row: str) -> Entity | None:
        key = (check_key(partition), check_key(row))
        with self.lock:
            return self.rows.get(key)

    def query(
        self, partition: str, *, start: str = "", stop: str = "", limit: int = 1000
    ) -> list[Entity]:
        check_key(partition)
        with self.lock:
            found = [
                entity
                for entity in self.rows.values()
                if entity.partition == partition
                and entity.row >= start
                and (not stop or entity.row < stop)
            ]
        return sorted(found, key=lambda entity: entity.row)[:limit]

    def insert(self, entity: Entity) -> Entity:
        return self.transact([Write("insert", entity)])[0]

    def replace(self, entity: Entity) -> Entity:
        return self.transact([Write("replace", entity)])[0]

    def delete(self, partition: str, row: str, *, etag: str = "") -> None:
        key = (check_key(partition), check_key(row))
        with self.lock:
            present = self.rows.get(key)
            if etag and (present is None or present.etag != etag):
                raise Conflict
            self.rows.pop(key, None)

    def transact(self, writes: Sequence[Write]) -> list[Entity]:
        check_writes(writes)
        with self.lock:
            for index, write in enumerate(writes):
                present = self.rows.get((write.entity.partition, write.entity.row))
                if write.kind == "insert" and present is not None:
                    raise Exists("exists already", index=index)
                if write.kind in ("replace", "delete") and (
                    present is None or present.etag != write.entity.etag
                ):
                    raise Conflict(index=index)
            return [self.apply_write(write) for write in writes]

    def apply_write(self, write: Write) -> Entity:
        """Makes one write that has been checked. The lock is held."""
        entity = write.entity
        if write.kind == "delete":
            return self.rows.pop((entity.partition, entity.row))
        values = MappingProxyType(
            {name: normalize_value(item) for name, item in entity.values.items()}
        )
        written = Entity(entity.partition, entity.row, values, f'W/"{next(self.versions)}"')
        self.rows[entity.partition, entity.row] = written
        return written


@dataclass(slots=True)
class LogContent:
    """What one log holds, and how many appends it took."""

    data: bytearray = field(default_factory=bytearray)
    appends: int = 0


class MemoryLog:
    """`Log` in memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.logs: dict[str, LogContent] = {}

    def append(self, name: str, data: bytes, *, at: int) -> int:
        check_name(LOG_NAME, name)
        check_append(data)
        after = at + len(data)
        with self.lock:
            content = self.logs.get(name, LogContent())
            if len(content.data) != at:
                if content.data[at:after] == data:
                    return after
                raise Conflict
            if content.appends >= APPENDS_AT_MOST:
                raise LogFull
            content.data += data
            content.appends += 1
            self.logs[name] = content
        return after

    def read(self, name: str, *, start: int = 0, size: int | None = None) -> bytes:
        check_range(start, size)
        stop = None if size is None else start + size
        with self.lock:
            content = self.logs.get(check_name(LOG_NAME, name))
            return bytes(content.data[start:stop]) if content else b""

    def length(self, name: str) -> int:
        with self.lock:
            content = self.logs.get(check_name(LOG_NAME, name))
            return len(content.data) if content else 0

    def names(self, prefix: str = "") -> list[str]:
        with self.lock:
            return sorted(name for name in self.logs if name.startswith(prefix))

    def delete(self, name: str) -> None:
        with self.lock:
            self.logs.pop(check_name(LOG_NAME, name), None)


class MemoryStorage:
    """`Storage` in memory."""

    def __init__(self, clock: Clock = utc_now) -> None:
        self.clock = clock
        self.lock = threading.Lock()
        self.queues: dict[str, MemoryQueue] = {}
        self.tables: dict[str, MemoryTable] = {}
        self.containers: dict[str, MemoryLog] = {}

    def corrected_clock(self, own: Clock) -> Clock:
        return own

    def queue(self, name: str) -> MemoryQueue:
        with self.lock:
            check_name(QUEUE_NAME, name)
            return self.queues.setdefault(name, MemoryQueue(self.clock))

    def table(self, name: str) -> MemoryTable:
        with self.lock:
            return self.tables.setdefault(check_name(TABLE_NAME, name).lower(), MemoryTable())

    def log(self, container: str) -> MemoryLog:
        with self.lock:
            return self.containers.setdefault(check_name(QUEUE_NAME, container), MemoryLog())


PROCESS_STORAGE = MemoryStorage()


def process_storage() -> MemoryStorage:
    """The one memory storage of this process, which function app and local host share."""
    return PROCESS_STORAGE
