"""What Azure Storage accepts, checked alike for every implementation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from shared.storage.interfaces import (
    APPEND_BYTES,
    DELAY_AT_MOST,
    MESSAGE_BYTES,
    TRANSACTION_AT_MOST,
    Entity,
    Value,
    Write,
    WriteRefused,
)

QUEUE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!-)){1,61}[a-z0-9]")
TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
LOG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,511}")
KEY = re.compile(r"[ !\"$-.0->@-\[\]-~]{1,512}")
ENTITY_BYTES = 1024 * 1024
VALUE_BYTES = 64 * 1024
PROPERTY = re.compile(r"(?!(?:PartitionKey|RowKey|Timestamp)$)[A-Za-z_][A-Za-z0-9_]{0,254}")


def check_name(pattern: re.Pattern[str], name: str) -> str:
    """Returns `name`. Raises ValueError if it does not match the pattern."""
    if not pattern.fullmatch(name):
        raise ValueError(f"storage does not accept the name {name!r}")
    return name


def check_key(key: str) -> str:
    """Returns `key`. Raises ValueError for a key that a table does not accept."""
    if not KEY.fullmatch(key):
        raise ValueError(f"a table does not accept the key {key!r}")
    return key


def check_entity(entity: Entity) -> Entity:
    """Returns the entity. Raises ValueError for a key that a table does not accept, WriteRefused
    for values that it does not take."""
    check_key(entity.partition)
    check_key(entity.row)
    # About: storage counts text in UTF-16.
    size = 0
    for name, value in entity.values.items():
        if not is_property(name):
            raise WriteRefused(f"a table does not accept the property name {name!r}")
        if isinstance(value, str):
            size += 2 * (len(name) + len(value))
            if bytes_of(value) > VALUE_BYTES:
                raise WriteRefused(f"{name} is over 64 KiB of UTF-16")
            continue
        size += 2 * len(name) + (len(value) if isinstance(value, bytes) else 8)
        if isinstance(value, bytes) and len(value) > VALUE_BYTES:
            raise WriteRefused(f"{name} is over 64 KiB")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise WriteRefused(f"{name} does not fit into 64 bits")
        if isinstance(value, datetime) and value.tzinfo is None:
            raise WriteRefused(f"{name} is a time without a time zone")
    if size > ENTITY_BYTES:
        raise WriteRefused("an entity is over 1 MiB")
    return entity


@lru_cache(maxsize=1024)
def is_property(name: str) -> bool:
    """Whether a table accepts a property of that name. There are few, in every row."""
    return PROPERTY.fullmatch(name) is not None


def bytes_of(text: str) -> int:
    """What a text takes in UTF-16. Raises UnicodeEncodeError for one with a lone surrogate."""
    return 2 * len(text) if text.isascii() else len(text.encode("utf-16-le"))


def check_writes(writes: Sequence[Write]) -> Sequence[Write]:
    """Returns the writes. Raises ValueError for what a transaction does not accept."""
    if not 1 <= len(writes) <= TRANSACTION_AT_MOST:
        raise ValueError("a transaction has 1 to 100 writes")
    if len(writes) > 1 and len({write.entity.partition for write in writes}) > 1:
        raise ValueError("a transaction stays within one partition")
    if len(writes) > 1 and len({write.entity.row for write in writes}) < len(writes):
        raise ValueError("a transaction writes each row once")
    for write in writes:
        check_entity(write.entity)
        if write.kind in ("replace", "delete") and not write.entity.etag:
            raise ValueError(f"{write.kind} in a transaction needs an etag")
    return writes


def check_message(body: str) -> str:
    """Returns a message's body. Raises ValueError if it is too large for a queue."""
    if len(body.encode()) > MESSAGE_BYTES:
        raise ValueError("a message is at most 48 KiB")
    return body


def check_append(data: bytes) -> bytes:
    """Returns the data to append. Raises ValueError if it is empty or too large."""
    if not 1 <= len(data) <= APPEND_BYTES:
        raise ValueError("an append is 1 byte to 4 MiB")
    return data


def check_range(start: int, size: int | None) -> None:
    """Raises ValueError for a part of a log that there cannot be."""
    if start < 0 or (size is not None and size < 1):
        raise ValueError("a part of a log begins at 0 or later, and has 1 byte or more")


def whole_seconds(span: timedelta, *, least: int = 0) -> int:
    """A delay or visibility for a queue: whole seconds, rounded up. Raises ValueError."""
    if not timedelta(0) <= span <= DELAY_AT_MOST:
        raise ValueError("a queue accepts 0 seconds to 7 days")
    return max(least, -(-span // timedelta(seconds=1)))


def normalize_value(value: Value) -> Value:
    """A value as a table returns it: times in UTC, in microseconds."""
    if isinstance(value, datetime) and not (type(value) is datetime and value.tzinfo is UTC):
        moment = value.astimezone(UTC)
        return datetime.combine(moment.date(), moment.timetz())
    return value
