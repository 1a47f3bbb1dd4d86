"""Has the model answer what MCP servers' tools have given.

The service calls these tools itself, and then says nothing: reports of it end in silence until the
caller speaks (jamesrochabrun/SwiftOpenAI#193). The call may end before the response that made it
is done, or after. Who made a call is known from the `response.…` events alone: what a client adds
to the conversation starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from shared.core.bounded import BoundedDict, BoundedSet
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.realtime.server_events import (
    Item,
    ItemDone,
    ItemRetrieved,
    McpCallCompleted,
    McpCallFailed,
    OutputItemAdded,
    OutputItemDone,
    ResponseDone,
)
from shared.sideband.events import ServerEvent

CALLED_WITHIN = timedelta(minutes=1)
"""What takes longer is answered when it comes; others' outputs do not wait for it."""
REMEMBERED = 1_000
ASKED_AT_MOST = 16


class McpCalls:
    """The calls of one call of ours. `call_later` runs something after a while; `ask` has the
    model go on, if it is time."""

    def __init__(
        self,
        tracker: ResponseTracker,
        call_later: Callable[[timedelta, Callable[[], None]], object],
        ask: Callable[[], None],
    ) -> None:
        self.tracker = tracker
        self.call_later = call_later
        self.ask = ask
        self.responses: BoundedDict[str, str | None] = BoundedDict(REMEMBERED)
        """By a call's item, the response that made it."""
        self.outside: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Calls of responses outside the conversation, which has no place for their outputs."""
        self.ended: BoundedSet[str] = BoundedSet(REMEMBERED)

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of any event of the call, after the tracker."""
        match event:
            case OutputItemAdded(item=item) if item.type == "mcp_call":
                self.begin(item.id, event.response_id)
            case OutputItemDone(item=item) if item.type == "mcp_call":
                self.begin(item.id, event.response_id)
                self.end_made(item)
            case ItemDone(item=item) | ItemRetrieved(item=item) if item.id in self.responses:
                self.end_made(item)
            case McpCallCompleted() | McpCallFailed():
                self.end(event.item_id)
            case ResponseDone():
                self.finish_response(event)

    def begin(self, item_id: str, response_id: str | None) -> None:
        """The model has begun a call in a response."""
        if response_id is not None and response_id in self.tracker.outside:
            self.outside.add(item_id)
        elif item_id not in self.responses and item_id not in self.ended:
            self.responses[item_id] = response_id
            self.wait_for(item_id)

    def wait_for(self, item_id: str) -> None:
        """The outputs that are there are answered with that of this call, unless it takes long."""

        def give_up() -> None:
            self.tracker.give_up(item_id)
            self.ask()

        self.tracker.call_begun(item_id)
        self.call_later(CALLED_WITHIN, give_up)

    def end_made(self, item: Item) -> None:
        if item.is_made_mcp_call:
            self.end(item.id)

    def end(self, item_id: str) -> None:
        """A call has come to its end."""
        if item_id not in self.outside and item_id not in self.ended:
            self.ended.add(item_id)
            self.tracker.call_ended(item_id)

    def requests_after_loss(self) -> list[dict[str, str]]:
        """The connection is back: asks for the calls that have not been seen to end."""
        pending = [each for each in self.responses if each not in self.ended][-ASKED_AT_MOST:]
        return [{"type": "conversation.item.retrieve", "item_id": each} for each in pending]

    def finish_response(self, event: ResponseDone) -> None:
        """Calls of a response that was cancelled or has failed may never end. What a response says
        after a call is its answer."""
        if event.response_id in self.tracker.outside:
            return
        for item in event.output:
            if item.type == "mcp_call":
                self.begin(item.id, event.response_id)
                self.end_made(item)
            elif item.type == "message" and item.text:
                for earlier in event.output[: event.output.index(item)]:
                    self.tracker.unanswered.discard(earlier.id)
        if event.status != "completed":
            for item_id, response_id in list(self.responses.items()):
                if response_id == event.response_id:
                    self.tracker.awaited.discard(item_id)
