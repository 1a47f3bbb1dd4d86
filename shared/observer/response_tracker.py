"""Who has the floor: responses under way, speech being played, and when to ask for the next. Pure.

A conversation has one response at a time. The server does not go on by itself after a function
call's output, and refuses a `response.create` while another response is active; a response that
began after an output was added has read it, whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]


class ResponseTracker:
    """Follows the events of one call."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.playing: set[str] = set()
        self.unanswered: set[str] = set()
        """Items with outputs of ours that no response has read yet."""
        self.sent: set[str] = set()
        self.asked: str | None = None

    @property
    def is_responding(self) -> bool:
        """Whether a response of the conversation is being made."""
        return bool(self.active)

    @property
    def is_quiet(self) -> bool:
        """Whether the assistant neither makes nor plays anything."""
        return not (self.active or self.playing)

    def output_sent(self, item_id: str) -> None:
        """An output of ours is on its way to the conversation."""
        self.sent.add(item_id)

    def track_response(self, event: Event) -> None:
        """Takes note of any event of the call."""
        kind = event.get("type")
        if kind == "response.created":
            response = event["response"]
            if response.get("conversation_id", "") is not None:
                self.active.add(response["id"])
                self.unanswered.clear()
                self.asked = None
        elif kind == "response.done":
            self.active.discard(event["response"]["id"])
        elif kind == "conversation.item.added":
            if event["item"]["id"] in self.sent:
                self.sent.discard(event["item"]["id"])
                self.unanswered.add(event["item"]["id"])
        elif kind == "output_audio_buffer.started":
            self.playing.add(event["response_id"])
        elif kind in ("output_audio_buffer.stopped", "output_audio_buffer.cleared"):
            self.playing.discard(event["response_id"])
        elif kind == "error":
            caused_by = (event.get("error") or {}).get("event_id")
            if caused_by is not None and caused_by == self.asked:
                self.asked = None

    def should_request_response(self, event_id: str) -> bool:
        """Whether to ask for a response now, to have the outputs answered: once, with this
        `event_id`."""
        if not self.unanswered or self.is_responding or self.sent or self.asked:
            return False
        self.asked = event_id
        return True

    def start_over(self) -> None:
        """The connection was lost: what is under way now is not known."""
        self.active.clear()
        self.playing.clear()
        self.sent.clear()
        self.asked = None
