"""The dialogue of a call: what was said, what is being answered, and what of it was heard."""

from typing import TYPE_CHECKING, Any

from local.emulator.call.conversation import Conversation, Item, milliseconds
from local.emulator.call.output_audio import OutputAudioBuffer
from local.emulator.call.response import Response
from local.emulator.protocol import events, usage
from local.emulator.protocol.usage import Tokens
from local.emulator.protocol.validators import Invalid

if TYPE_CHECKING:
    from local.emulator.call.call import Call

TOKENS_PER_MINUTE = 40_000


class Dialogue:
    """Items, responses and the output buffer of one call.

    `answers` counts responses that are done, `seen` is what they have read, `usage` their sum.
    """

    def __init__(self, call: "Call") -> None:
        self.call = call
        self.conversation = Conversation()
        self.output = OutputAudioBuffer(call.emit, self.heard_out)
        self.response: Response | None = None
        self.others: set[Response] = set()
        self.answers = 0
        self.seen = Tokens()
        self.usage = usage.NOTHING

    def add(self, item: Item, after: str | None = None) -> None:
        """An item that is not the model's: `conversation.item.added` and `.done` at once."""
        previous = self.conversation.add(item, after)
        for kind in ("added", "done"):
            self.call.emit(
                events.event(
                    f"conversation.item.{kind}", previous_item_id=previous, item=item.shown()
                )
            )

    def respond(self, params: dict[str, Any], event_id: str | None = None) -> None:
        """Starts a response, or tells that there is one already."""
        separate = params.get("conversation") == "none"
        if self.response is not None and not separate:
            message = (
                "Conversation already has an active response in progress: "
                f"{self.response.id}. Wait until the response is finished before creating a new "
                "one."
            )
            code = "conversation_already_has_active_response"
            self.call.emit(events.error(code, message, event_id=event_id))
            return
        self.call.turns.wait_no_longer()
        response = Response(self, params)
        if separate:
            self.others.add(response)
        else:
            self.response = response
        response.start()

    def finished(self, response: Response, report: dict[str, Any]) -> None:
        """A response is done."""
        self.others.discard(response)
        if self.response is response:
            self.response = None
        self.answers += 1
        self.seen = Tokens(
            max(self.seen.text, response.read.text), max(self.seen.audio, response.read.audio)
        )
        self.usage = usage.added(self.usage, report)
        if self.call.services.provider == "openai":
            left = max(0, TOKENS_PER_MINUTE - report["total_tokens"])
            limit = {
                "name": "tokens",
                "limit": TOKENS_PER_MINUTE,
                "remaining": left,
                "reset_seconds": round((TOKENS_PER_MINUTE - left) / TOKENS_PER_MINUTE * 60, 3),
            }
            self.call.emit(events.event("rate_limits.updated", rate_limits=[limit]))

    def interrupt(self) -> None:
        """The caller speaks while the assistant does: the rest is neither made nor played."""
        cut = self.output.clear()
        if cut is not None:
            self.call.emit(
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
            for part in cut.item.data["content"]:
                part.pop("transcript", None)

    def cancel(self, response_id: str | None) -> None:
        """`response.cancel`; without an id, of the response in the conversation.

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

    def heard_out(self) -> None:
        """The caller has heard everything there was."""
        self.call.turns.caller_is_expected()

    def context(self, params: dict[str, Any]) -> Tokens:
        """What a response reads: instructions, tools and the conversation so far."""
        return (
            usage.of_instructions(params["instructions"], params["tools"])
            + self.conversation.tokens()
        )

    def close(self) -> None:
        """The call is over."""
        self.output.close()
        for response in (self.response, *self.others):
            if response is not None and response.task is not None:
                response.task.cancel()
