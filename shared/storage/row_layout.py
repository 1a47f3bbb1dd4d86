"""Rows that instances of several releases write at the same time, during an upgrade.

A release may add columns, and members at the end of lists: an older instance keeps what it does not
know when it writes the row. A layout that older instances must not write gets a new number. They
treat such a row as unavailable storage: a booking is refused, a message comes back. A row without a
number has the first layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from shared.storage.interfaces import Entity, StorageUnavailable, Value

T = TypeVar("T")
COLUMN = "layout"
LAYOUT = 1


def new_row(entity: Entity, layout: int = LAYOUT) -> Entity:
    """The entity with its layout, to be inserted."""
    return entity.with_values({**entity.values, COLUMN: layout})


def require_known_layout(entity: Entity, newest: int = LAYOUT) -> Entity:
    """Returns the entity. Raises StorageUnavailable if its layout is newer than `newest`, so that a
    newer release alone may write it."""
    layout = entity.values.get(COLUMN, LAYOUT)
    if not isinstance(layout, int) or layout > newest:
        raise StorageUnavailable("a newer release wrote the row in a layout of its own")
    return entity


def unknown_values(
    values: Mapping[str, Value], is_known: Callable[[str], object]
) -> dict[str, Value]:
    """The columns of a row that this release does not know."""
    return {name: value for name, value in values.items() if not is_known(name)}


def value_of(entity: Entity, column: str, kind: type[T]) -> T | None:
    """The value of a column; None where there is none of that kind."""
    value = entity.values.get(column)
    return value if isinstance(value, kind) else None
