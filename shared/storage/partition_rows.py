"""All rows of a partition, which may be more than one query gives."""

from __future__ import annotations

from collections.abc import Iterator

from shared.storage.interfaces import Entity, Table

QUERY_ROWS = 1000


def rows_in_partition(
    table: Table, partition: str, *, start: str = "", size: int = QUERY_ROWS
) -> Iterator[Entity]:
    """The rows of a partition from the key `start` on, sorted by key, read `size` at a time as they
    are asked for. Blocks. Raises StorageUnavailable."""
    while True:
        rows = table.query(partition, start=start, limit=size)
        yield from rows
        if len(rows) < size:
            return
        # The next possible key.
        start = rows[-1].row + "!"
