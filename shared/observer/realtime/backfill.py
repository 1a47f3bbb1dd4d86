"""Items that an observer has missed, requested one by one, backwards. Pure.

The sideband replays nothing, but each new item names the one before it, and that one can be
retrieved. The official `conversation.item.retrieved` does not name its predecessor, so the walk
goes on only where the service adds `previous_item_id` (Azure's reference shows it); elsewhere it
ends one item back, and the record says that more may be missing.

Where nothing is said after the observer has connected, no item names the tail. Then, after some
silence, a probe is added at the end, a system item that is deleted at once: its
`conversation.item.added` names the tail. Nothing that leaves the conversation unchanged does.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from shared.core.bounded import BoundedSet
from shared.core.untrusted import is_abbreviated
from shared.realtime.item_keys import REMEMBERED
from shared.realtime.server_events import (
    InputTranscribed,
    InputTranscriptionFailed,
    ItemAdded,
    ItemDone,
    ItemRetrieved,
)
from shared.sideband.events import ErrorEvent, ServerEvent

MAX_REQUESTS = 500
EVENT_ID_PREFIX = "back_"
PROBE_PREFIX = "probe_"
"""For readers of ids. A probe is known by its whole id: a page may choose an id that begins so."""


class Backfill:
    """The missed items of one call. `known` are the items in its record."""

    def __init__(self, known: Iterable[str] = (), *, max_requests: int = MAX_REQUESTS) -> None:
        self.known: BoundedSet[str] = BoundedSet(REMEMBERED, known)
        self.probes: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Every probe of the call."""
        self.requests_left = max_requests
        self.pending: dict[str, str] = {}
        """The requested items, by the id of the client event that requested each."""
        self.tail_is_known = False
        """Whether an item or the probe has named the one before it."""
        self.probe_id: str | None = None
        self.probe_is_added = False
        self.head: str | None = None
        """The earliest item that the walk has reached, where more may stand before it."""
        self.stated = False
        """Whether the record already says that something may be missing."""
        self.cut_off = False
        """Whether an item's beginning was missed and nothing names the item before it."""

    def requests_for(self, event: ServerEvent) -> list[dict[str, Any]]:
        """The client events that request what a server event shows to be missing."""
        match event:
            case ItemAdded():
                return self.handle_added(event)
            case ItemRetrieved():
                return self.handle_retrieved(event)
            case ItemDone():
                return self.handle_done(event)
            case InputTranscribed() | InputTranscriptionFailed():
                return self.request_unknown(event.item_id)
            case ErrorEvent() if self.pending:
                # The requested item is gone, or never existed: the walk ends at what named it.
                self.pending.pop(event.caused_by or "", None)
        return []

    def handle_added(self, event: ItemAdded) -> list[dict[str, Any]]:
        name, previous = event.item.id, event.previous_item_id
        if name == self.probe_id and not self.probe_is_added:
            self.tail_is_known = self.probe_is_added = True
            event_id = EVENT_ID_PREFIX + secrets.token_hex(8)
            remove = {"type": "conversation.item.delete", "event_id": event_id, "item_id": name}
            return [remove, *self.request_unknown(previous)]
        # Another item may have the id of a probe that was deleted.
        self.probes.discard(name)
        self.tail_is_known = True
        self.known.add(name)
        return self.request_unknown(previous, named_by=name)

    def handle_done(self, event: ItemDone) -> list[dict[str, Any]]:
        """The `.done` of an item whose beginning was missed names the item before it. A null says
        nothing there, so that item stays unknown."""
        name, previous = event.item.id, event.previous_item_id
        if name in self.known or name in self.probes:
            return []
        self.known.add(name)
        self.head = self.head or name
        self.tail_is_known = self.tail_is_known or previous is not None
        self.cut_off = self.cut_off or previous is None
        return self.request_unknown(previous, named_by=name)

    def handle_retrieved(self, event: ItemRetrieved) -> list[dict[str, Any]]:
        name = event.item.id
        asked = next((event_id for event_id, item in self.pending.items() if item == name), None)
        if asked is None:
            return []
        del self.pending[asked]
        if name not in self.known:
            self.head = name
        self.known.add(name)
        return self.request_unknown(event.previous_item_id)

    def request_unknown(
        self, name: str | None, *, named_by: str | None = None
    ) -> list[dict[str, Any]]:
        """Requests an item unless it is known."""
        if name is None or name in self.known or name in self.probes:
            return []
        if named_by is not None and self.head is None:
            self.head = named_by
        return self.request_item(name)

    def request_item(self, name: str) -> list[dict[str, Any]]:
        if self.requests_left <= 0 or name in self.pending.values() or is_abbreviated(name):
            return []
        self.requests_left -= 1
        event_id = EVENT_ID_PREFIX + secrets.token_hex(8)
        self.pending[event_id] = name
        return [{"type": "conversation.item.retrieve", "event_id": event_id, "item_id": name}]

    def requests_to_repair(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Requests items that the record has without their words."""
        return [event for name in names for event in self.request_item(name)]

    def start_over(self) -> None:
        """The connection was lost for a while. What came in between is unknown, and the record says
        so already."""
        self.stated = True
        self.tail_is_known = False
        self.probe_id = None
        self.pending.clear()

    def probe_tail(self) -> list[dict[str, Any]]:
        """Finds the tail if no item has named it, once."""
        if self.tail_is_known or self.probe_id:
            return []
        self.probe_id = PROBE_PREFIX + secrets.token_hex(8)
        self.probe_is_added = False
        self.probes.add(self.probe_id)
        item = {
            "id": self.probe_id,
            "type": "message",
            "role": "system",
            "content": [{"type": "input_text", "text": "."}],
        }
        event_id = EVENT_ID_PREFIX + secrets.token_hex(8)
        return [{"type": "conversation.item.create", "event_id": event_id, "item": item}]
