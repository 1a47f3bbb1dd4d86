"""The dialogue of a call: its conversation, its responses and their playback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Conversation, Item, milliseconds
from realtime_emulator.call.mcp import McpApprovals, McpCall
from realtime_emulator.call.output_audio import OutputAudioBuffer
from realtime_emulator.call.response import Response
from realtime_emulator.protocol import events, session, usage
from realtime_emulator.protocol.validators import Invalid

TOKENS_PER_MINUTE = 40_000


class Dialogue:
    """The items, the responses and the output buffer of one call.

    `usage` is the sum of all finished responses. `on_response` is called when one in the
    conversation starts, `on_drained` when the caller has heard everything.
    """

    def __init__(
        self,
        context: CallContext,
        *,
        on_response: Callable[[], None],
        on_drained: Callable[[], None],
    ) -> None:
        self.context = context
        self.on_response = on_response
        self.conversation = Conversation()
        self.output = OutputAudioBuffer(context, on_drained)
        self.response: Response | None = None
        self.others: set[Response] = set()
        self.usage = usage.ZERO
        self.approvals = McpApprovals(context, self.conversation)

    def add_item(self, item: Item, after: str | None = None) -> None:
        """Adds an item that is not the model's: `conversation.item.added`, then `.done`."""
        previous = self.conversation.add_item(item, after)
        for kind in ("added", "done"):
            self.context.emit(
                events.event(
                    f"conversation.item.{kind}", previous_item_id=previous, item=item.to_json()
                )
            )

    def create_response(self, params: dict[str, Any], event_id: str | None = None) -> None:
        """Starts a response, or emits an error if the conversation has one in progress."""
        if session.is_transcription(self.context.session):
            message = "A transcription session makes no responses."
            raise Invalid("invalid_value", message, "type")
        separate = params.get("conversation") == "none"
        if self.response is not None and not separate:
            message = (
                "Conversation already has an active response in progress: "
                f"{self.response.id}. Wait until the response is finished before creating a new "
                "one."
            )
            code = "conversation_already_has_active_response"
            self.context.emit(events.error(code, message, event_id=event_id))
            return
        if not separate:
            self.on_response()
        response = Response(
            self.context, self.conversation, self.output, params, self.finish_response
        )
        if separate:
            self.others.add(response)
        else:
            self.response = response
        response.start()

    def finish_response(self, response: Response, report: dict[str, Any]) -> None:
        self.others.discard(response)
        if self.response is response:
            self.response = None
        self.conversation.count_response(response.read)
        call = response.writer
        if isinstance(call, McpCall) and call.tool.needs_approval and response.is_complete:
            self.add_item(self.approvals.request(call))
        self.usage = usage.add_reports(self.usage, report)
        if self.context.services.provider == "openai":
            left = max(0, TOKENS_PER_MINUTE - report["total_tokens"])
            limit = {
                "name": "tokens",
                "limit": TOKENS_PER_MINUTE,
                "remaining": left,
                "reset_seconds": round((TOKENS_PER_MINUTE - left) / TOKENS_PER_MINUTE * 60, 3),
            }
            self.context.emit(events.event("rate_limits.updated", rate_limits=[limit]))

    def interrupt(self) -> None:
        """Stops generation and playback, because the caller speaks."""
        cut = self.output.clear()
        if cut is not None:
            self.context.emit(
                events.event(
                    "conversation.item.truncated",
                    item_id=cut.item.id,
                    content_index=0,
                    audio_end_ms=milliseconds(cut.heard),
                )
            )
            cut.item.audio = cut.heard
        if self.response is not None:
            self.response.cancel("turn_detected")
        if cut is not None:
            cut.item.drop_transcript()

    def cancel_response(self, response_id: str | None) -> None:
        """`response.cancel`; without an id, of the conversation's response.

        Raises Invalid if there is nothing to cancel.
        """
        response = self.response
        if response_id is not None:
            running = [r for r in (response, *self.others) if r is not None]
            response = next((r for r in running if r.id == response_id), None)
        if response is None:
            raise Invalid(
                "response_cancel_not_active",
                "Cancellation failed: no active response found",
                None,
            )
        response.cancel("client_cancelled")

    def close(self) -> None:
        """Stops everything at the end of the call."""
        self.output.close()
        for response in (self.response, *self.others):
            if response is not None and response.task is not None:
                response.task.cancel()
