"""Times the turns of a Realtime call: from the end of the caller's speech to the first sound of the
answer. Pure.

The service tells both on the sideband (recorded traffic): `input_audio_buffer.speech_stopped`, and
`output_audio_buffer.started` of a response that was created since. Without turn detection the
caller's speech ends where a page commits it. An answer may come in a later response than the first,
after tools.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.core.bounded import BoundedDict, BoundedSet
from shared.core.clock import MILLISECOND
from shared.realtime.server_events import (
    InputCommitted,
    OutputAudioStarted,
    OutputItemAdded,
    ResponseCreated,
    ResponseDone,
)
from shared.sideband.events import OtherEvent, ServerEvent

RESPONSES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """A turn that `response_id` has answered; `item_id` is the message that it speaks, where that
    is known."""

    response_id: str
    item_id: str | None
    latency_ms: int


class TurnClock:
    """Times the turns of one call, from its events with the times at which they came."""

    def __init__(self) -> None:
        self.spoken_until: datetime | None = None
        """When the caller stopped speaking, while no answer has sounded."""
        self.answers: BoundedSet[str] = BoundedSet(RESPONSES_AT_ONCE)
        """Responses of the conversation that have been created since."""
        self.messages: BoundedDict[str, str] = BoundedDict(RESPONSES_AT_ONCE)
        """By response, the message that it began."""

    def time_event(self, event: ServerEvent, at: datetime) -> AnsweredTurn | None:
        """Takes any event of the call; gives the turn that it shows to be answered."""
        match event:
            case OtherEvent(type="input_audio_buffer.speech_started"):
                self.start_over()
            case OtherEvent(type="input_audio_buffer.speech_stopped"):
                self.caller_stopped(at)
            case InputCommitted() if self.spoken_until is None:
                self.caller_stopped(at)
            case ResponseCreated(in_conversation=True) if self.spoken_until is not None:
                self.answers.add(event.response_id)
            case OutputItemAdded(response_id=str(response_id), item=item):
                if item.type == "message" and response_id in self.answers:
                    self.messages[response_id] = item.id
            case ResponseDone(status="cancelled") if event.response_id in self.answers:
                # Whatever is asked for next is not what the caller has waited for.
                self.start_over()
            case OutputAudioStarted() if event.response_id in self.answers:
                return self.answered(event.response_id, at)
        return None

    def caller_stopped(self, at: datetime) -> None:
        self.start_over()
        self.spoken_until = at

    def answered(self, response_id: str, at: datetime) -> AnsweredTurn | None:
        spoken_until, item_id = self.spoken_until, self.messages.get(response_id)
        self.start_over()
        if spoken_until is None or at < spoken_until:
            return None
        latency = round((at - spoken_until) / MILLISECOND)
        return AnsweredTurn(response_id, item_id, latency)

    def start_over(self) -> None:
        """Nobody waits for an answer, or it is not known."""
        self.spoken_until = None
        self.answers.clear()
        self.messages.clear()
