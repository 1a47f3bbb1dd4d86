"""Calls of MCP servers' tools, which the service makes itself. No server is asked: a rule of the
script has the output.

The service does not go on by itself after such a call. One that is to be approved is made once it
has been, after the response that began it; any other one before that response is done. The order of
events follows the reference documentation and OpenAI's examples: no recording has them.
"""

from __future__ import annotations

from typing import Any

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Conversation, Item
from realtime_emulator.call.output_items import ItemTarget, OutputItemWriter
from realtime_emulator.protocol import events, ids
from realtime_emulator.script.reply_rules import CallMcpTool


class McpCall(OutputItemWriter):
    """A call of a tool of one of the session's MCP servers."""

    delta_event = "response.mcp_call_arguments.delta"

    def __init__(self, context: CallContext, target: ItemTarget, tool: CallMcpTool) -> None:
        super().__init__(
            context,
            target,
            {
                "type": "mcp_call",
                "server_label": tool.server_label,
                "name": tool.name,
                "arguments": "",
                "approval_request_id": None,
                "output": None,
                "error": None,
            },
        )
        self.tool = tool

    @property
    def delta_place(self) -> dict[str, Any]:
        return self.place

    def set_status(self, status: str) -> None:
        """Such an item has none. A call that is complete and needs no approval is made."""
        if status == "completed" and not self.tool.needs_approval:
            self.make()

    def close_content(self) -> None:
        self.item.data["arguments"] = self.sent
        arguments = {**self.place, "arguments": self.sent}
        self.emit("response.mcp_call_arguments.done", **arguments)

    def make(self) -> None:
        """Makes the call: its outcome is the script's."""
        place = {"item_id": self.item.id, "output_index": 0}
        self.emit("response.mcp_call.in_progress", **place)
        self.item.data["output"] = self.tool.output
        self.item.data["error"] = self.tool.error
        how = "failed" if self.tool.error else "completed"
        self.emit(f"response.mcp_call.{how}", **place)


class McpApprovals:
    """The calls of one call that wait to be approved, by their requests."""

    def __init__(self, context: CallContext, conversation: Conversation) -> None:
        self.context = context
        self.conversation = conversation
        self.waiting: dict[str, McpCall] = {}

    def request(self, call: McpCall) -> Item:
        """The request for a call to be approved."""
        data = {name: call.item.data[name] for name in ("server_label", "name", "arguments")}
        item = Item({"id": ids.new("mcpr"), "type": "mcp_approval_request", **data})
        self.waiting[item.id] = call
        return item

    def answer(self, request_id: str, *, approve: bool) -> None:
        """Makes the call if it is approved."""
        call = self.waiting.pop(request_id, None)
        if call is None or not approve:
            return
        call.item.data["approval_request_id"] = request_id
        call.make()
        previous = self.conversation.previous_id(call.item.id)
        done = events.event(
            "conversation.item.done", previous_item_id=previous, item=call.item.to_json()
        )
        self.context.emit(done)
