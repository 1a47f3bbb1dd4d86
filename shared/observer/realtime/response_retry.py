"""Asks once more for a response that failed of a passing fault, so that the caller is not met with
silence.

Nobody else does: the service does not, and with Azure's filter on the page is not told. It is asked
for once, after a pause, and only while the floor is free: neither the caller nor the assistant
speaks, no response is being made, and nothing has been said or added meanwhile. What the caller or
a page has cancelled stays so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

from shared.core import logs
from shared.core.bounded import BoundedSet
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.tool_outputs import ToolOutputs
from shared.observer.run_context import new_event_id
from shared.realtime.response_errors import is_passing
from shared.realtime.server_events import (
    InputCommitted,
    ItemAdded,
    OutputAudioStopped,
    ResponseCreated,
    ResponseDone,
)
from shared.sideband.events import ErrorEvent, OtherEvent, ServerEvent
from shared.transcripts.record_lines import StoredLine

PAUSE = timedelta(seconds=1)
"""Time for the fault to pass, and for the page or the caller to do something about it first."""
LONGEST_WAIT = timedelta(seconds=10)
"""An endpoint that asks to wait longer is not asked again: by then the answer is to nobody."""
RETRIES_AT_MOST = 100
"""In one run."""
REMEMBERED = 1_000
NOT_ACTIVE = "response_cancel_not_active"
"""Answers a client that cancels when no response is being made: it wants none."""


class ResponseRetry:
    """The retries of one call. `is_ending` says whether the server is ending it."""

    def __init__(
        self,
        context: RealtimeContext,
        tracker: ResponseTracker,
        outputs: ToolOutputs,
        is_ending: Callable[[], bool],
        *,
        enabled: bool,
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.outputs = outputs
        self.is_ending = is_ending
        self.enabled = enabled
        self.failed: str | None = None
        """The response that is to be asked for again."""
        self.is_due = False
        """Whether the pause is over and only the assistant's voice is waited for."""
        self.asked = False
        """Whether we have asked again and no response has followed yet."""
        self.retries: BoundedSet[str] = BoundedSet(REMEMBERED)
        """Responses that we have asked for again: they are not asked for a third time."""
        self.retries_left = RETRIES_AT_MOST

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record whether an earlier run has asked again."""
        last = ""
        for line in lines:
            if line.kind in ("response", "retried"):
                last = line.kind
        self.asked = last == "retried"

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of any event of the call, after the tracker."""
        match event:
            case OtherEvent(type="input_audio_buffer.speech_started") | InputCommitted():
                self.forget()
            case ItemAdded(item=item) if self.context.recorder.mapper.is_own_probe(item.id):
                pass
            case ItemAdded() | OutputAudioStopped(type="output_audio_buffer.cleared"):
                self.forget()
            case ErrorEvent(code=code) if code == NOT_ACTIVE:
                self.forget()
            case ResponseCreated(in_conversation=True):
                if self.asked:
                    self.retries.add(event.response_id)
                self.asked = False
                self.forget()
            case OutputAudioStopped() if self.is_due and self.failed is not None:
                self.ask_again(self.failed)
            case ResponseDone() if self.should_ask_again(event):
                self.retries_left -= 1
                self.failed = event.response_id
                pause = max(PAUSE, event.wait or PAUSE)
                self.context.background.call_later(pause, partial(self.ask_again, self.failed))

    def forget(self) -> None:
        """The call has moved on: the failed response is not asked for again."""
        self.failed, self.is_due = None, False

    def should_ask_again(self, event: ResponseDone) -> bool:
        """Whether a response has failed in a way that another may not, and nobody else sees to it:
        who asked for one outside the conversation, or gave it metadata, knows it by its id; and the
        output of a function that it called is answered anyway."""
        calls = any(item.type in ("function_call", "mcp_call") for item in event.output)
        theirs = not event.in_conversation or event.has_metadata or calls
        return (
            self.enabled
            and event.status == "failed"
            and is_passing(event.reason, event.error_type)
            and (event.wait or PAUSE) <= LONGEST_WAIT
            and not theirs
            and event.response_id not in self.retries
            and event.response_id not in self.tracker.outside
            and self.retries_left > 0
        )

    def ask_again(self, response_id: str) -> None:
        """Asks for a response, if that one is still missed and the floor is free."""
        if self.failed != response_id:
            return
        tracker, context = self.tracker, self.context
        waits = tracker.sent or tracker.awaited or self.outputs.running
        busy = tracker.active or tracker.requested or waits
        if busy or tracker.caller_speaks or self.is_ending() or not context.lease.is_good:
            self.forget()
            return
        self.is_due = bool(tracker.playing)
        if self.is_due:
            return
        self.forget()
        self.asked = True
        event_id = new_event_id()
        tracker.response_requested(event_id)
        self.outputs.give_up_later(event_id)
        context.recorder.add_line("retried", response_id, {})
        context.send_in_background({"type": "response.create", "event_id": event_id})
        call = context.recorder.writer.record_id
        logs.event("response asked for again", logging.INFO, call=call)

    def start_over(self) -> None:
        """The connection was lost: what has been said meanwhile is not known."""
        self.asked = False
        self.forget()
