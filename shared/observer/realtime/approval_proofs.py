"""What proves that a request for approval is the model's: a call that it has made. Pure.

The service may add a request to the conversation without an event of the response that it belongs
to, as a page could. Then it has to have the server, the tool and the arguments of a call that a
response contains, which no page can add to. A call proves one request, and none once it was made.
"""

from __future__ import annotations

import json
from collections.abc import Container

from shared.core.bounded import BoundedDict, BoundedSet
from shared.realtime.server_events import (
    Item,
    McpArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    ResponseDone,
)
from shared.sideband.events import ServerEvent
from shared.tools.approvals import parsed_arguments

REMEMBERED = 1_000


class CallProofs:
    """The calls of MCP servers' tools that the model has made in one call of ours."""

    def __init__(self) -> None:
        self.names: BoundedDict[str, tuple[str, str]] = BoundedDict(REMEMBERED)
        """By a call's item, the server and the tool."""
        self.open: BoundedDict[str, tuple[str, str, str]] = BoundedDict(REMEMBERED)
        """By a call's item, the server, the tool and the arguments, as long as it proves a
        request."""
        self.settled: BoundedSet[str] = BoundedSet(REMEMBERED)

    def note_event(self, event: ServerEvent, outside: Container[str]) -> bool:
        """Takes note of the model's calls; not of those in responses `outside` the conversation.
        Gives whether one of them may prove what was not proven before."""
        match event:
            case OutputItemAdded(item=item) if item.type == "mcp_call":
                self.names[item.id] = (str(item.server_label), str(item.name))
            case McpArgumentsDone() if event.item_id in self.names:
                server, tool = self.names[event.item_id]
                return self.note_call(event.item_id, (server, tool, canonical(event.arguments)))
            case OutputItemDone(item=item) if event.response_id not in outside:
                return self.note_item(item)
            case ResponseDone() if event.response_id not in outside:
                noted = [self.note_item(item) for item in event.output]
                return any(noted)
        return False

    def note_item(self, item: Item) -> bool:
        if item.type != "mcp_call":
            return False
        if item.is_made_mcp_call:
            self.settle(item.id)
            return False
        return self.note_call(item.id, call_in(item))

    def note_call(self, call: str, about: tuple[str, str, str]) -> bool:
        if call in self.settled or self.open.get(call) == about:
            return False
        self.open[call] = about
        return True

    def settle(self, call: str) -> None:
        self.open.pop(call, None)
        self.settled.add(call)

    def use(self, request: Item) -> bool:
        """Whether a call proves this request: it proves no other then."""
        about = call_in(request)
        call = next((call for call, it in self.open.items() if it == about), None)
        if call is not None:
            self.settle(call)
        return call is not None

    def calls_of(self, server: str, tool: str) -> list[str]:
        """The items of the calls of a tool."""
        return [call for call, names in self.names.items() if names == (server, tool)]


def call_in(item: Item) -> tuple[str, str, str]:
    """What a call, or a request for its approval, says."""
    return str(item.server_label), str(item.name), canonical(item.arguments or "")


def canonical(arguments: str) -> str:
    """Arguments that can be compared, however they are written."""
    given = parsed_arguments(arguments)
    return arguments if given is None else json.dumps(given, sort_keys=True)
