"""Sets and dictionaries that forget their oldest entry once they are full.

What a caller, a page or an endpoint can make grow is kept in one of these, so that no call takes
more than its share of an instance's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedSet(Generic[K]):
    """A set of at most `limit` entries, in the order in which they were added."""

    def __init__(self, limit: int, entries: Iterable[K] = ()) -> None:
        self.limit = limit
        self.entries: dict[K, None] = {}
        self.update(entries)

    def add(self, entry: K) -> None:
        self.entries[entry] = None
        if len(self.entries) > self.limit:
            del self.entries[next(iter(self.entries))]

    def update(self, entries: Iterable[K]) -> None:
        for entry in entries:
            self.add(entry)

    def discard(self, entry: K) -> None:
        self.entries.pop(entry, None)

    def clear(self) -> None:
        self.entries.clear()

    def __contains__(self, entry: object) -> bool:
        return entry in self.entries

    def __iter__(self) -> Iterator[K]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class BoundedDict(dict[K, V]):
    """A dictionary of at most `limit` entries; setting one more forgets the oldest."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self.limit:
            del self[next(iter(self))]
