"""Runs the server's tools when the model calls them, and has the model answer their outputs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Container, Iterable, Mapping
from typing import Any

from shared.core import logs
from shared.observer.response_tracker import ResponseTracker
from shared.observer.run_context import RunContext, new_event_id
from shared.realtime.server_events import Item
from shared.realtime.sideband import SidebandClosed
from shared.tools.registry import Registry
from shared.transcripts.record_lines import StoredLine

UNKNOWN_OUTCOME = json.dumps(
    {"error": "It is not known whether this was done. Ask before you do it again."}
)


class ToolCalls:
    """The function calls of one call. Those of `registry` that the call may use (`granted`) are
    run here, each once; all others are the page's."""

    def __init__(
        self,
        context: RunContext,
        tracker: ResponseTracker,
        registry: Registry,
        granted: Container[str],
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.registry = registry
        self.granted = granted
        self.begun: set[str] = set()
        self.answered: set[str] = set()
        self.running: set[str] = set()
        self.unsent: list[Mapping[str, Any]] = []
        """Outputs that wait for the next connection."""

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record which tools were begun. The model has the outputs of those
        that have a line of their own; what came of the others is unknown, and it waits for them."""
        for line in lines:
            if line.kind in ("calling", "tool"):
                self.begun.add(line.key)
            if line.kind == "tool":
                self.answered.add(line.key)

    async def answer_abandoned_calls(self) -> None:
        """Tells the model of tools that an earlier run began and did not finish."""
        for call_id in sorted(self.begun - self.answered - self.running):
            self.answered.add(call_id)
            await self.send_output(call_id, UNKNOWN_OUTCOME)

    def handle_complete_item(self, item: Item) -> None:
        """Starts the tool if the item is a complete call of one of ours."""
        call_id, name = str(item.call_id), item.name
        complete = item.type == "function_call" and item.status == "completed"
        if name is None or name not in self.registry or name not in self.granted:
            return
        if complete and self.context.lease.is_good and call_id not in self.begun:
            self.begun.add(call_id)
            self.running.add(call_id)
            self.context.recorder.add_line("calling", call_id, {"name": name})
            work = self.run_tool(call_id, name, item.arguments or "{}")
            self.context.background.start_task(work)

    def note_output(self, item: Item) -> None:
        """Takes note of an item that answers a function call, whoever added it."""
        if item.type == "function_call_output":
            self.answered.add(str(item.call_id))

    def handle_retrieved_item(self, item: Item) -> None:
        """Starts the tool of a function call from before this run, if nobody has answered it."""
        self.note_output(item)
        if item.type == "function_call" and str(item.call_id) not in self.answered:
            self.handle_complete_item(item)

    async def run_tool(self, call_id: str, name: str, arguments: str) -> None:
        started = time.monotonic()
        result = await self.registry.call_tool(name, arguments)
        seconds = round(time.monotonic() - started, 3)
        logs.event("tool called", tool=name, ok=result.ok, seconds=seconds)
        if self.context.lease.is_good:
            self.answered.add(call_id)
            await self.send_output(call_id, result.output)
            about = {"name": name, "ok": result.ok, "seconds": seconds}
            self.context.recorder.add_line("tool", call_id, about)

    async def send_output(self, call_id: str, output: str) -> None:
        """Adds a function's output to the conversation."""
        item_id = f"item_{secrets.token_hex(8)}"
        item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": output}
        event = {"type": "conversation.item.create", "event_id": new_event_id(), "item": item}
        self.tracker.output_sent(item_id)
        self.running.discard(call_id)
        try:
            await self.context.connection.send_event(event)
        except SidebandClosed:
            self.unsent.append(event)

    async def send_unsent_outputs(self) -> None:
        """Sends what the lost connection did not take. Raises SidebandClosed."""
        waiting, self.unsent = self.unsent, []
        for event in waiting:
            self.tracker.output_sent(event["item"]["id"])
            await self.context.connection.send_event(event)

    def request_response(self) -> None:
        """Has the model go on, once all outputs are in and the last response is done."""
        due = self.tracker.should_request_response and not self.running
        if due and self.context.lease.is_good:
            event_id = new_event_id()
            self.tracker.response_requested(event_id)
            self.context.send_in_background({"type": "response.create", "event_id": event_id})
