"""Runs the server's tools when the model calls them, and has the model answer their outputs.

A tool runs only for a call that this run has seen in the output of a response: anybody may add an
item that looks like a call. Of an older call nothing proves that the model made it, so it is not
run; where nobody has answered it, the model is told so, and may call again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Container, Iterable

from shared.core import logs
from shared.core.bounded import BoundedSet
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.tool_outputs import ToolOutputs
from shared.observer.tool_results import UNKNOWN_OUTCOME, result_of_call
from shared.realtime.server_events import Item, OutputItemDone, ResponseDone
from shared.tools.registry import Registry
from shared.transcripts.record_lines import RecordLine, StoredLine

NOT_RUN = json.dumps(
    {"error": "This was not run, because the server was not connected. Call it again if needed."}
)
CALLS_AT_MOST = 1_000
"""Of one conversation. Each is remembered, so that none runs twice."""


class ToolCalls:
    """The function calls of one call. Those of `registry` that the call may use (`granted`) are
    run here, each once; all others are the page's."""

    def __init__(
        self,
        context: RealtimeContext,
        tracker: ResponseTracker,
        registry: Registry,
        granted: Container[str],
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.registry = registry
        self.granted = granted
        self.begun: set[str] = set()
        self.answered: BoundedSet[str] = BoundedSet(10 * CALLS_AT_MOST)
        self.running: set[str] = set()
        self.outputs = ToolOutputs(context, tracker, self.running)

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record which tools were begun. The model has the outputs of those
        that have a line of their own; what came of the others is unknown, and it waits for them."""
        for line in lines:
            if line.kind in ("calling", "tool"):
                self.begun.add(line.key)
            if line.kind == "tool":
                self.answered.add(line.key)

    def lines_to_carry_over(self) -> list[RecordLine]:
        """The calls that were begun, for a record that begins again."""
        now = self.context.recorder.clock()
        return [
            RecordLine("tool" if call_id in self.answered else "calling", call_id, now)
            for call_id in sorted(self.begun)
        ]

    async def answer_abandoned_calls(self) -> None:
        """Tells the model of tools that an earlier run began and did not finish."""
        for call_id in sorted(self.begun - self.running):
            if call_id not in self.answered:
                self.answered.add(call_id)
                await self.outputs.send_output(call_id, UNKNOWN_OUTCOME)

    def is_ours(self, item: Item) -> bool:
        """Whether an item is a complete call of a tool that we would run."""
        complete = item.type == "function_call" and item.status == "completed"
        return complete and item.name in self.registry and item.name in self.granted

    def handle_output_item(self, event: OutputItemDone) -> None:
        """Starts the tool if the model has completed a call of one of ours."""
        # The output of a call outside the conversation has no place in it.
        if event.response_id is None or event.response_id not in self.tracker.outside:
            self.start_tool(event.item)

    def handle_response_done(self, event: ResponseDone) -> None:
        """As `handle_output_item`, for a run that came just before the end of the response."""
        if event.response_id not in self.tracker.outside:
            for item in event.output:
                self.start_tool(item)

    def start_tool(self, item: Item) -> None:
        """Runs the tool of a call that came in a response's output, once."""
        call_id = str(item.call_id)
        if not self.is_ours(item) or call_id in self.begun or not self.context.lease.is_good:
            return
        if len(self.begun) >= CALLS_AT_MOST:
            logs.event("tool not run", tool=item.name, reason="too many calls")
            return
        self.begun.add(call_id)
        self.running.add(call_id)
        self.context.recorder.add_line("calling", call_id, {"name": item.name})
        too_long = "arguments" in item.cut
        arguments = None if too_long else item.arguments or "{}"
        self.context.background.start_task(self.run_tool(call_id, str(item.name), arguments))

    def note_output(self, item: Item) -> None:
        """Takes note of an item that answers a function call, whoever added it."""
        if item.type == "function_call_output":
            self.answered.add(str(item.call_id))

    def handle_missed_item(self, item: Item) -> None:
        """Answers a function call from before this run, if nobody has. `item` is one that we have
        requested: a page that requests one starts nothing."""
        self.note_output(item)
        call_id = str(item.call_id)
        done = call_id in self.answered or call_id in self.begun
        if self.is_ours(item) and not done and self.context.lease.is_good:
            self.answered.add(call_id)
            self.context.background.start_task(self.outputs.send_output(call_id, NOT_RUN))

    async def run_tool(self, call_id: str, name: str, arguments: str | None) -> None:
        started = time.monotonic()
        result = await result_of_call(self.registry, name, arguments, self.running)
        seconds = round(time.monotonic() - started, 3)
        logs.event("tool called", tool=name, ok=result.ok, seconds=seconds)
        if self.context.lease.is_good:
            self.answered.add(call_id)
            await self.outputs.send_output(call_id, result.output)
            about = {"name": name, "ok": result.ok, "seconds": seconds}
            self.context.recorder.add_line("tool", call_id, about)
