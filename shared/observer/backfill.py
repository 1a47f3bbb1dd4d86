"""What an observer missed: items from before it came, fetched back one before the other. Pure.

Nothing that has passed is replayed, but each new item names the one before it, and that one can be
retrieved. The official `conversation.item.retrieved` does not name what stands before in turn, so
the walk goes on only where the service adds `previous_item_id` (Azure's reference shows it); else
it ends one item back, and the record says that more may be missing.

Where nothing is said after the observer came, no item names the tail. Then, after a while of
silence, a system item is added at the end and deleted at once: its `conversation.item.added` names
the tail. There is no way to ask for the tail that changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from shared.realtime.event_mapper import PROBE
from shared.realtime.server_events import (
    ErrorEvent,
    InputTranscribed,
    InputTranscriptionFailed,
    ItemAdded,
    ItemDone,
    ItemRetrieved,
    ServerEvent,
)

AT_MOST = 500
OURS = "back_"


class Backfill:
    """Follows the events of one call and says what to send. `known` are items in the record."""

    def __init__(self, known: Iterable[str] = (), *, at_most: int = AT_MOST) -> None:
        self.known = set(known)
        self.left = at_most
        self.pending: dict[str, str] = {}
        """The items asked for, by the id of the event that asked."""
        self.tail_is_known = False
        """Whether an item, or the probe, has named what stands before it."""
        self.probe_id: str | None = None
        self.head: str | None = None
        """The earliest item that the walk came to, where more may stand before it."""
        self.stated = False
        """Whether the record says already that something was missed."""
        self.cut_off = False
        """Whether an item's beginning was missed and nothing names what stands before it."""

    def requests_for(self, event: ServerEvent) -> list[dict[str, Any]]:
        """The client events that an event of the call calls for."""
        match event:
            case ItemAdded():
                return self.handle_added(event)
            case ItemRetrieved():
                return self.handle_retrieved(event)
            case ItemDone():
                return self.handle_done(event)
            case InputTranscribed() | InputTranscriptionFailed():
                return self.fetch(event.item_id)
            case ErrorEvent() if self.pending:
                # It is gone, or never was: what named it is as far back as can be seen.
                self.pending.pop(event.caused_by or "", None)
        return []

    def handle_added(self, event: ItemAdded) -> list[dict[str, Any]]:
        name, previous = event.item.id, event.previous_item_id
        if name == self.probe_id:
            self.tail_is_known = True
            remove = {"type": "conversation.item.delete", "item_id": name}
            return [remove, *self.fetch(previous)]
        if name.startswith(PROBE):
            return []
        self.tail_is_known = True
        self.known.add(name)
        return self.fetch(previous, named_by=name)

    def handle_done(self, event: ItemDone) -> list[dict[str, Any]]:
        """Of an item whose beginning was missed, `.done` names the one before, unless it is null:
        that says nothing there, so what stands before cannot be learnt."""
        name, previous = event.item.id, event.previous_item_id
        if name in self.known or name.startswith(PROBE):
            return []
        self.known.add(name)
        self.head = self.head or name
        self.tail_is_known = self.tail_is_known or previous is not None
        self.cut_off = self.cut_off or previous is None
        return self.fetch(previous, named_by=name)

    def handle_retrieved(self, event: ItemRetrieved) -> list[dict[str, Any]]:
        name = event.item.id
        asked = next((event_id for event_id, item in self.pending.items() if item == name), None)
        if asked is None:
            return []
        del self.pending[asked]
        if name not in self.known:
            self.head = name
        self.known.add(name)
        return self.fetch(event.previous_item_id)

    def fetch(self, name: str | None, *, named_by: str | None = None) -> list[dict[str, Any]]:
        """Asks for an item that is not known."""
        if name is None or name in self.known or name.startswith(PROBE):
            return []
        if named_by is not None and self.head is None:
            self.head = named_by
        return self.ask(name)

    def ask(self, name: str) -> list[dict[str, Any]]:
        if self.left <= 0 or name in self.pending.values():
            return []
        self.left -= 1
        event_id = OURS + secrets.token_hex(8)
        self.pending[event_id] = name
        return [{"type": "conversation.item.retrieve", "event_id": event_id, "item_id": name}]

    def requests_to_repair(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Asks again for items that the record has without their words."""
        return [event for name in names for event in self.ask(name)]

    def start_over(self) -> None:
        """The connection was lost for a while: what came in between is not known, and the record
        says so already."""
        self.stated = True
        self.tail_is_known = False
        self.probe_id = None
        self.pending.clear()

    def probe_tail(self) -> list[dict[str, Any]]:
        """Learns the tail, where no item has named it. Once."""
        if self.tail_is_known or self.probe_id:
            return []
        self.probe_id = PROBE + secrets.token_hex(8)
        item = {
            "id": self.probe_id,
            "type": "message",
            "role": "system",
            "content": [{"type": "input_text", "text": "."}],
        }
        event_id = OURS + secrets.token_hex(8)
        return [{"type": "conversation.item.create", "event_id": event_id, "item": item}]
