"""Which responses are under way, what is being played, and when to ask for the next. Pure.

A conversation has one response at a time. The server does not go on by itself after a function
call's output or an MCP call, and refuses a `response.create` while another response is active; a
response that began after an output was added has read it, whoever asked for it.

An error may not say which client event it answers. The service handles the events of a connection
in their order, so an output that is added shows that all those sent before it, and not added, were
refused; and whatever is not answered at all is given up after a while (`give_up`).
"""

from __future__ import annotations

from shared.core.bounded import BoundedSet
from shared.realtime.server_events import (
    InputCommitted,
    ItemAdded,
    OutputAudioStarted,
    OutputAudioStopped,
    ResponseCreated,
    ResponseDone,
)
from shared.sideband.events import ErrorEvent, OtherEvent, ServerEvent

REMEMBERED = 1_000
OUTPUT_REFUSALS = ("invalid_tool_call_id", "invalid_function_call_output")
"""Codes that answer nothing but a function's output."""
REQUESTS_AT_MOST = 5
"""In a row without a response, before we stop asking."""
ACTIVE_RESPONSE = "conversation_already_has_active_response"


class ResponseTracker:
    """Tracks the responses of one call."""

    def __init__(self) -> None:
        self.active: BoundedSet[str] = BoundedSet(REMEMBERED)
        self.playing: BoundedSet[str] = BoundedSet(REMEMBERED)
        self.outside: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Responses outside the conversation."""
        self.outside_active: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Those of them that are under way."""
        self.unanswered: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Items with outputs of ours that no response has read yet."""
        self.awaited: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Calls that the service makes, of MCP servers' tools, whose outputs are yet to come."""
        self.caller_speaks = False
        """Whether the caller is speaking, as far as is known."""
        self.sent: dict[str, str] = {}
        """Items with outputs of ours that are not in the conversation yet, in the order in which
        they were sent, with the ids of the client events that create them."""
        self.given_up: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Items with outputs of ours that seemed to be refused, or were not answered in time."""
        self.requested: str | None = None
        """The id of our `response.create` that no response has followed yet."""
        self.requests = 0
        """How many of them no response has followed."""

    @property
    def is_responding(self) -> bool:
        """Whether a response of the conversation is being made."""
        return bool(self.active)

    @property
    def is_quiet(self) -> bool:
        """Whether the assistant neither makes nor plays anything."""
        return not (self.active or self.playing)

    @property
    def should_request_response(self) -> bool:
        """Whether to ask for a response now, to have the outputs answered."""
        if not self.unanswered:
            return False
        busy = self.active or self.sent or self.requested or self.awaited or self.caller_speaks
        return not busy and self.requests < REQUESTS_AT_MOST

    def output_sent(self, item_id: str, event_id: str = "") -> None:
        """An output of ours is on its way to the conversation."""
        self.sent[item_id] = event_id

    def call_begun(self, item_id: str) -> None:
        """The service calls an MCP server's tool: its output will be in the conversation."""
        self.awaited.add(item_id)

    def call_ended(self, item_id: str) -> None:
        """That output is there, or it is an error, which the caller should hear of too."""
        self.awaited.discard(item_id)
        self.unanswered.add(item_id)
        self.requests = 0

    def response_requested(self, event_id: str) -> None:
        """We have asked for a response with this client event."""
        self.requested = event_id
        self.requests += 1

    def give_up(self, waiting_for: str) -> None:
        """That output, or that request for a response, has been answered by nothing in time."""
        if self.sent.pop(waiting_for, None) is not None:
            self.given_up.add(waiting_for)
        self.awaited.discard(waiting_for)
        if waiting_for == self.requested:
            self.requested = None

    def track_event(self, event: ServerEvent) -> None:
        """Takes note of any event of the call."""
        match event:
            case ResponseCreated(in_conversation=True):
                self.active.add(event.response_id)
                self.unanswered.clear()
                self.requested = None
                self.requests = 0
            case ResponseCreated():
                self.outside.add(event.response_id)
                self.outside_active.add(event.response_id)
            case ResponseDone():
                self.active.discard(event.response_id)
                self.outside_active.discard(event.response_id)
            case ItemAdded(item=item) if item.id in self.sent:
                self.output_added(item.id)
            case ItemAdded(item=item) if item.id in self.given_up:
                # The error was about an output of somebody else's, or the answer was late.
                self.given_up.discard(item.id)
                self.unanswered.add(item.id)
            case OtherEvent(type="input_audio_buffer.speech_started"):
                self.caller_speaks = True
            case InputCommitted() | OtherEvent(type="input_audio_buffer.speech_stopped"):
                self.caller_speaks = False
            case OtherEvent(type="input_audio_buffer.cleared"):
                self.caller_speaks = False
            case OutputAudioStarted():
                self.playing.add(event.response_id)
            case OutputAudioStopped():
                self.playing.discard(event.response_id)
            case ErrorEvent():
                self.track_error(event)

    def output_added(self, item_id: str) -> None:
        """An output is in the conversation: those sent before it have been refused."""
        while self.sent:
            first = next(iter(self.sent))
            del self.sent[first]
            if first == item_id:
                break
        self.unanswered.add(item_id)
        self.requests = 0

    def track_error(self, error: ErrorEvent) -> None:
        """An error may have refused an output of ours, or our request for a response."""
        if error.caused_by is not None:
            refused = [item for item, event in self.sent.items() if event == error.caused_by]
            for waiting_for in (*refused, error.caused_by):
                self.give_up(waiting_for)
        elif error.code in OUTPUT_REFUSALS and self.sent:
            self.give_up(next(iter(self.sent)))
        elif error.code == ACTIVE_RESPONSE:
            self.requested = None

    def refused_output(self, error: ErrorEvent) -> bool:
        """Whether an error refuses an output of ours; to be asked before `track_event`."""
        if error.caused_by is not None:
            return error.caused_by in self.sent.values()
        return error.code in OUTPUT_REFUSALS and bool(self.sent)

    def start_over(self) -> None:
        """The connection was lost: what is under way now is not known."""
        self.active.clear()
        self.outside_active.clear()
        self.playing.clear()
        self.sent.clear()
        self.awaited.clear()
        self.caller_speaks = False
        self.requested = None
