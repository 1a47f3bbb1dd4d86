"""Which responses are under way, what is being played, and when to ask for the next. Pure.

A conversation has one response at a time. The server does not go on by itself after a function
call's output, and refuses a `response.create` while another response is active; a response that
began after an output was added has read it, whoever asked for it.
"""

from __future__ import annotations

from shared.realtime.server_events import (
    ErrorEvent,
    ItemAdded,
    OutputAudioStarted,
    OutputAudioStopped,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
)


class ResponseTracker:
    """Tracks the responses of one call."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.playing: set[str] = set()
        self.unanswered: set[str] = set()
        """Items with outputs of ours that no response has read yet."""
        self.sent: set[str] = set()
        """Items with outputs of ours that are not in the conversation yet."""
        self.requested: str | None = None
        """The id of our `response.create` that no response has followed yet."""

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
        return bool(self.unanswered) and not (self.active or self.sent or self.requested)

    def output_sent(self, item_id: str) -> None:
        """An output of ours is on its way to the conversation."""
        self.sent.add(item_id)

    def response_requested(self, event_id: str) -> None:
        """We have asked for a response with this client event."""
        self.requested = event_id

    def track_event(self, event: ServerEvent) -> None:
        """Takes note of any event of the call."""
        match event:
            case ResponseCreated(in_conversation=True):
                self.active.add(event.response_id)
                self.unanswered.clear()
                self.requested = None
            case ResponseDone():
                self.active.discard(event.response_id)
            case ItemAdded(item=item) if item.id in self.sent:
                self.sent.discard(item.id)
                self.unanswered.add(item.id)
            case OutputAudioStarted():
                self.playing.add(event.response_id)
            case OutputAudioStopped():
                self.playing.discard(event.response_id)
            case ErrorEvent(caused_by=str(event_id)) if event_id == self.requested:
                self.requested = None

    def start_over(self) -> None:
        """The connection was lost: what is under way now is not known."""
        self.active.clear()
        self.playing.clear()
        self.sent.clear()
        self.requested = None
