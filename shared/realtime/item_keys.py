"""By which key the record, and what is proven of items, knows an item of the conversation. Pure.

An id proves nothing: a page sees every id on its data channel, may delete the item, and add another
one under its id. So each item has a key of its own: its id, and for every further item under that
id a number too.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator
from typing import Generic, TypeVar

from shared.core.bounded import BoundedDict, BoundedSet
from shared.realtime.server_events import ItemEvent

REMEMBERED = 5_000
NUMBER = " #"
"""No id has a space (`bounded_id`)."""
COMING, GONE = -2, 0
V = TypeVar("V")


class ItemMemory(Generic[V]):
    """What is remembered of items, by their keys or ids. Those that are `made` have room of their
    own: a page cannot have them forgotten by adding items."""

    def __init__(self, made: Container[str]) -> None:
        self.made = made
        self.of_made: BoundedDict[str, V] = BoundedDict(REMEMBERED)
        self.of_others: BoundedDict[str, V] = BoundedDict(REMEMBERED)

    def __setitem__(self, key: str, value: V) -> None:
        (self.of_made if key in self.made else self.of_others)[key] = value

    def __getitem__(self, key: str) -> V:
        return self.of_made[key] if key in self.of_made else self.of_others[key]

    def get(self, key: str, default: V) -> V:
        return self.of_made.get(key, self.of_others.get(key, default))

    def __contains__(self, key: object) -> bool:
        return key in self.of_made or key in self.of_others

    def __iter__(self) -> Iterator[str]:
        return itertools.chain(self.of_made, self.of_others)


class ItemKeys:
    """The keys of one call's items. An id that is added again has been deleted in between, whether
    that was seen or not.

    Only so many ids are remembered. Once some may be forgotten, every new item is numbered: no key
    is ever given twice.
    """

    def __init__(self) -> None:
        self.made: BoundedDict[str, str] = BoundedDict(REMEMBERED)
        """By id, the key of the item that the service or the broker makes: the service's events
        of it go on if it is deleted."""
        self.latest: ItemMemory[tuple[int, int]] = ItemMemory(self.made)
        """By id, the number of the item that has it, and the hash of what was added: COMING before
        it is added, GONE once another item may be."""
        self.made_keys: BoundedSet[str] = BoundedSet(REMEMBERED)
        self.deleted: BoundedSet[str] = BoundedSet(REMEMBERED)
        self.count = 0

    def key_of(self, item_id: str) -> str:
        """The key of the item that has this id now."""
        number, _ = self.latest.get(item_id, (1, COMING))
        return item_id if number == 1 else f"{item_id}{NUMBER}{number}"

    def made_key_of(self, item_id: str) -> str:
        """The key of the item that the service makes, or has made, under this id."""
        return self.made.get(item_id) or self.key_of(item_id)

    def note_coming(self, item_id: str) -> str:
        """An item is about to be added under a new id; gives its key."""
        if item_id not in self.latest:
            self.number_item(item_id)
        return self.key_of(item_id)

    def note_made(self, item_id: str) -> str:
        """The service, or the broker, makes an item under a new id; gives its key."""
        if item_id not in self.made:
            self.made[item_id] = self.note_coming(item_id)
            self.made_keys.add(self.made[item_id])
            # Written anew, now that it is one of those with room of their own.
            self.latest[item_id] = self.latest[item_id]
        return self.made[item_id]

    def note_added(self, event: ItemEvent) -> None:
        """An item is added. The same event again is no other item."""
        item_id, content = event.item.id, hash((event.item, event.previous_item_id))
        _, before = self.latest.get(item_id, (0, GONE))
        if before not in (COMING, content):
            self.number_item(item_id)
        number, _ = self.latest[item_id]
        self.latest[item_id] = number, content

    def was_added(self, item_id: str) -> bool:
        """Whether an item has been added under this id, as far as is remembered."""
        _, content = self.latest.get(item_id, (1, COMING))
        return content != COMING

    def is_present(self, item_id: str) -> bool:
        """Whether the item with this id was seen being added, and not being deleted."""
        _, content = self.latest.get(item_id, (1, COMING))
        return content not in (COMING, GONE)

    def note_taken(self, item_id: str) -> str:
        """What is added under this id from now on is another item; gives the key of this one."""
        key = self.note_coming(item_id)
        number, _ = self.latest[item_id]
        self.latest[item_id] = number, GONE
        return key

    def number_item(self, item_id: str) -> None:
        self.count += 1
        forgotten = 0 if self.count <= REMEMBERED else self.count - 1
        before, _ = self.latest.get(item_id, (forgotten, COMING))
        self.latest[item_id] = before + 1, COMING

    def resume(self, key: str) -> None:
        """Takes over the key of an item in the record."""
        item_id, number = parse_key(key)
        before, _ = self.latest.get(item_id, (0, GONE))
        self.count = max(self.count + (not before), number)
        self.latest[item_id] = max(number, before), GONE


def parse_key(key: str) -> tuple[str, int]:
    """The id that a key is of, and which item under that id it is."""
    item_id, mark, number = key.rpartition(NUMBER)
    return (item_id, int(number)) if mark and number.isdecimal() else (key, 1)
