"""Adds the outputs of tools to the conversation, and has the model answer them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.run_context import new_event_id
from shared.sideband.sideband import SidebandClosed

ANSWERED_WITHIN = timedelta(seconds=15)
"""How long what we have sent may go unanswered before it counts as refused."""


class ToolOutputs:
    """The outputs of one call's tools. `running` are the calls whose output is yet to come."""

    def __init__(
        self, context: RealtimeContext, tracker: ResponseTracker, running: set[str]
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.running = running
        self.unsent: list[Mapping[str, Any]] = []
        """Outputs that wait for the next connection."""

    async def send_output(self, call_id: str, output: str) -> None:
        """Adds a function's output to the conversation."""
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.running.discard(call_id)
        await self.add_item(item, "tool output")

    async def send_approval(self, request_id: str, *, approve: bool) -> None:
        """Answers an MCP server's request for approval."""
        item = {"type": "mcp_approval_response", "approval_request_id": request_id}
        await self.add_item({**item, "approve": approve}, "approval")

    async def add_item(self, item: Mapping[str, Any], what: str) -> None:
        """Adds an item of ours to the conversation, on the next connection if this one is lost."""
        item_id = f"item_{secrets.token_hex(8)}"
        event = {
            "type": "conversation.item.create",
            "event_id": new_event_id(),
            "item": {"id": item_id, **item},
        }
        self.context.recorder.add_own_item(item_id, what)
        try:
            await self.send_item(event)
        except SidebandClosed:
            self.unsent.append(event)

    async def send_item(self, event: Mapping[str, Any]) -> None:
        """Sends an output. Raises SidebandClosed."""
        item_id = event["item"]["id"]
        # What has been approved is yet to be called; there is nothing to answer until then.
        if event["item"].get("approve") is not True:
            self.tracker.output_sent(item_id, event["event_id"])
            self.give_up_later(item_id)
        await self.context.connection.send_event(event)

    async def send_unsent_outputs(self) -> None:
        """Sends what the lost connection did not take. Raises SidebandClosed, after which the rest
        waits for the next connection."""
        while self.unsent:
            await self.send_item(self.unsent[0])
            self.unsent.pop(0)

    def request_response(self) -> None:
        """Has the model go on, once all outputs are in and the last response is done."""
        due = self.tracker.should_request_response and not self.running
        if due and self.context.lease.is_good:
            event_id = new_event_id()
            self.tracker.response_requested(event_id)
            self.give_up_later(event_id)
            self.context.send_in_background({"type": "response.create", "event_id": event_id})

    def give_up_later(self, waiting_for: str) -> None:
        """What is not answered in time, not even by an error that names it, is given up."""

        def give_up() -> None:
            self.tracker.give_up(waiting_for)
            self.request_response()

        self.context.background.call_later(ANSWERED_WITHIN, give_up)
