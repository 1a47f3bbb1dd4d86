"""Who wrote an item into the conversation: the caller, the model, the server or the page. Pure.

The service's events prove the first three: `input_audio_buffer.committed` names the caller's item
before it is added, `response.…` events name the model's, and the server's own are known by the ids
that it has given them. Whatever else is added, a client has created. Of an item that this run has
not seen being added nothing is proven, and it says so. (A page may commit audio that it has
appended itself; no event tells that from the caller's.)
"""

from __future__ import annotations

from shared.core.bounded import BoundedSet
from shared.realtime.item_keys import REMEMBERED, ItemKeys, ItemMemory
from shared.realtime.server_events import (
    InputCommitted,
    Item,
    ItemTruncated,
    OutputItemAdded,
    OutputItemDone,
    OutputItemProgress,
    OutputTextDone,
    ResponseCreated,
    ResponseDone,
)
from shared.sideband.events import OtherEvent, ServerEvent

CALLER, MODEL, SERVER, PAGE, UNKNOWN = "caller", "model", "server", "page", "unknown"
PROBE = "probe"
"""The server's, and no part of the conversation."""
PROBE_TEXT = "."
ADDED_BY_SERVICE = ("mcp_list_tools", "mcp_approval_request")
"""Items that the service may add by itself. No event tells them from a page's."""


class ItemOrigins:
    """What the events of one call prove about its items, by their keys."""

    def __init__(self, keys: ItemKeys) -> None:
        self.keys = keys
        self.proven: ItemMemory[str] = ItemMemory(keys.made_keys)
        self.probes: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Items of ours that were added only to learn what stands before them."""
        self.outside: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Responses outside the conversation: their items are never added to it."""
        self.truncates = UNKNOWN
        """Who would have caused a truncation that comes now."""
        self.truncated_by = UNKNOWN
        """Who has caused the latest one."""

    def add_own_item(self, item_id: str, *, probe: bool) -> str:
        """An item that the server creates under this new id; gives its key."""
        key = self.keys.note_made(item_id)
        self.proven[key] = SERVER
        if probe:
            self.probes.add(key)
        return key

    def resume(self, key: str, *, probe: bool) -> None:
        """An item that an earlier run has created: it is there, or it was."""
        self.proven[key] = SERVER
        if probe:
            self.probes.add(key)

    def is_probe(self, item: Item) -> bool:
        """Whether an item is a probe of ours. Another may have its id by now, unless this run has
        seen the probe being added and not deleted."""
        if self.keys.key_of(item.id) not in self.probes:
            return False
        if self.keys.is_present(item.id) or item.text == PROBE_TEXT:
            return True
        self.keys.number_item(item.id)
        return False

    def observe_event(self, event: ServerEvent) -> list[str]:
        """Takes note of what an event proves; gives the keys of the items that it proves something
        of."""
        self.observe_interruption(event)
        origin, keys = MODEL, self.keys_of_model(event)
        if isinstance(event, InputCommitted):
            origin, keys = CALLER, [self.keys.note_made(event.item_id)]
        for key in keys:
            if key not in self.proven:
                self.proven[key] = origin
        return keys

    def note_model(self, key: str) -> None:
        """The item is proven to be the model's, unless something else is proven of it."""
        if key not in self.proven:
            self.proven[key] = MODEL

    def keys_of_model(self, event: ServerEvent) -> list[str]:
        """The items of a response that an event is about."""
        match event:
            case ResponseCreated(in_conversation=False):
                self.outside.add(event.response_id)
            case OutputItemAdded(item=item):
                key = self.keys.note_made(item.id)
                if event.response_id in self.outside:
                    self.keys.note_taken(item.id)
                return [key]
            case OutputItemDone(item=item):
                key = self.keys.made_key_of(item.id)
                if not self.keys.was_added(item.id):
                    self.keys.note_taken(item.id)
                return [key]
            case OutputItemProgress() | OutputTextDone():
                return [self.keys.made_key_of(event.item_id)]
            case ResponseDone(output=output):
                return [self.keys.made_key_of(item.id) for item in output]
        return []

    def observe_interruption(self, event: ServerEvent) -> None:
        """The service truncates what it plays when the caller speaks, once. Any other truncation
        is a client's doing."""
        match event:
            case OutputItemAdded():
                self.truncates = PAGE
            case OtherEvent(type="input_audio_buffer.speech_started"):
                self.truncates = CALLER
            case ItemTruncated():
                self.truncated_by = self.truncates
                if self.truncates == CALLER:
                    self.truncates = PAGE

    def note_lost(self) -> None:
        """The connection was lost for a while: whether the caller has spoken since is not known."""
        self.truncates = UNKNOWN

    def origin_of(self, key: str, *, seen_added: bool) -> str:
        """Who wrote an item; `seen_added` says whether this run saw it being added."""
        return self.proven.get(key, PAGE if seen_added else UNKNOWN)
