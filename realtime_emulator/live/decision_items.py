"""The items of decisions, which the emulator keeps and never decides about."""

from __future__ import annotations

from realtime_emulator.live import events
from realtime_emulator.live.context import SessionContext
from realtime_emulator.live.events import Event
from realtime_emulator.protocol import ids
from realtime_emulator.protocol.validators import Invalid


class DecisionItems:
    """The items of one session, by id."""

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.known: set[str] = set()

    def add(self, event: Event) -> None:
        """`decision.item.create`."""
        item = {**event["item"], "id": event["item"].get("id") or ids.new("item")}
        self.known.add(item["id"])
        created = events.event("decision.item.created", event.get("event_id"), item=item)
        self.context.emit(created)

    def delete(self, event: Event) -> None:
        """`decision.item.delete`. Raises Invalid."""
        if event["item_id"] not in self.known:
            raise Invalid("invalid_value", "There is no such item.", "item_id")
        self.known.discard(event["item_id"])
        kind, item_id = "decision.item.deleted", event["item_id"]
        self.context.emit(events.event(kind, event.get("event_id"), item_id=item_id))
