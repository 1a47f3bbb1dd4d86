"""Who wrote an item into the conversation: the caller, the model, the server or the page. Pure.

The service's events prove the first three: `input_audio_buffer.committed` names the caller's item
before it is added, `response.…` events name the model's, and the server's own are known by the ids
that it has given them. Whatever else is added, a client has created. Of an item that this run has
not seen being added nothing is proven, and it says so. (A page may commit audio that it has
appended itself; no event tells that from the caller's.)
"""

from __future__ import annotations

from shared.core.bounded import BoundedDict, BoundedSet
from shared.realtime.server_events import (
    InputCommitted,
    OutputItemAdded,
    OutputItemDone,
    OutputItemProgress,
    OutputTextDelta,
    OutputTextDone,
    ResponseDone,
    ServerEvent,
)

CALLER, MODEL, SERVER, PAGE, UNKNOWN = "caller", "model", "server", "page", "unknown"
PROBE = "probe"
"""The server's, and no part of the conversation."""
REMEMBERED = 5_000
GENERATION = " #"
"""No id has a space (`bounded_id`)."""


class ItemOrigins:
    """What the events of one call prove about its items, by their ids."""

    def __init__(self) -> None:
        self.proven: BoundedDict[str, str] = BoundedDict(REMEMBERED)
        self.probes: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Items of ours that were added only to learn what stands before them."""

    def add_own_item(self, item_id: str, *, probe: bool) -> None:
        """An item that the server creates under this id."""
        self.proven[item_id] = SERVER
        if probe:
            self.probes.add(item_id)

    def observe_event(self, event: ServerEvent) -> list[str]:
        """Takes note of what an event proves; gives the items that it proves something of."""
        origin, item_ids = MODEL, [event_item] if (event_item := model_item(event)) else []
        match event:
            case InputCommitted(item_id=item_id):
                origin, item_ids = CALLER, [item_id]
            case ResponseDone(output=output):
                item_ids = [item.id for item in output]
        for item_id in item_ids:
            if item_id not in self.proven:
                self.proven[item_id] = origin
        return item_ids

    def origin_of(self, item_id: str, *, seen_added: bool) -> str:
        """Who wrote an item; `seen_added` says whether this run saw it being added."""
        return self.proven.get(item_id) or (PAGE if seen_added else UNKNOWN)

    def forget(self, item_id: str) -> None:
        """The item was deleted: what is added under its id from now on is another."""
        self.proven.pop(item_id, None)
        self.probes.discard(item_id)


def model_item(event: ServerEvent) -> str | None:
    """The item of a response that an event is about."""
    match event:
        case OutputItemAdded(item=item) | OutputItemDone(item=item):
            return item.id
        case OutputItemProgress() | OutputTextDelta() | OutputTextDone():
            return event.item_id
    return None


class ItemKeys:
    """The keys of items in the record. An item that is added under the id of a deleted one is
    another item, so it gets a key of its own."""

    def __init__(self) -> None:
        self.generations: BoundedDict[str, int] = BoundedDict(REMEMBERED)
        self.deleted: BoundedSet[str] = BoundedSet(REMEMBERED)

    def key_of(self, item_id: str) -> str:
        generation = self.generations.get(item_id, 1)
        return item_id if generation == 1 else f"{item_id}{GENERATION}{generation}"

    def note_added(self, item_id: str) -> None:
        if self.key_of(item_id) in self.deleted:
            self.generations[item_id] = self.generations.get(item_id, 1) + 1

    def note_deleted(self, item_id: str) -> None:
        self.deleted.add(self.key_of(item_id))

    def resume(self, key: str, *, deleted: bool) -> None:
        """Takes over the key of an item in the record."""
        item_id, mark, generation = key.rpartition(GENERATION)
        if mark and generation.isdecimal():
            self.generations[item_id] = max(int(generation), self.generations.get(item_id, 1))
        if deleted:
            self.deleted.add(key)
