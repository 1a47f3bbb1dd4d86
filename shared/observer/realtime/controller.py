"""What the server does to a running call: it restores the session, runs tools and answers requests
for approval, asks again for failed responses, keeps the token budget, and ends the call with a
goodbye. Each has a module of its own; here they are told of every event, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.core import logs
from shared.observer.context import Dependencies, ObservedCall
from shared.observer.realtime.approvals import Approvals
from shared.observer.realtime.call_meter import CallMeter
from shared.observer.realtime.failure_watch import FailureWatch
from shared.observer.realtime.goodbye import LastAnswer
from shared.observer.realtime.mcp_calls import McpCalls
from shared.observer.realtime.response_retry import ResponseRetry
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.session_guard import SessionKeeper
from shared.observer.realtime.steering import SteeringMonitor
from shared.observer.realtime.tool_calls import ToolCalls
from shared.observer.run_context import new_event_id
from shared.realtime.server_events import (
    InputTranscribed,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    ItemTruncated,
    OutputItemDone,
    ResponseCreated,
    ResponseDone,
    SessionEvent,
)
from shared.realtime.session_models import configured_transcription
from shared.sideband import json_frames
from shared.sideband.events import ErrorEvent, NotUnderstood, ServerEvent
from shared.transcripts.record_lines import RecordLine, StoredLine

LOGGED_AT_MOST = 20
"""Of what a page does, in one run: the record has the rest."""
OUTSIDE_AT_ONCE = 4
"""Responses outside the conversation. None is counted before it is done."""
ON_RECORD = ItemAdded | ItemDeleted | ItemTruncated
"""Of these a record with words says itself who did it."""


class CallController:
    """Acts on one call, event by event."""

    def __init__(
        self,
        context: RealtimeContext,
        call: ObservedCall,
        dependencies: Dependencies,
        goodbye: LastAnswer,
        tracker: ResponseTracker,
    ) -> None:
        self.context = context
        self.keep_words = call.keep_words
        self.tracker = tracker
        self.goodbye = goodbye
        self.tool_calls = ToolCalls(context, tracker, dependencies.registry, call.granted)
        outputs = self.tool_calls.outputs
        self.mcp_calls = McpCalls(tracker, context.background.call_later, outputs.request_response)
        self.approvals = Approvals(
            context, outputs, dependencies.registry, call.session, call.approvals
        )
        self.session_keeper = SessionKeeper(context, call.session)
        self.steering = SteeringMonitor(call.session)
        self.logged = 0
        self.meter = CallMeter(context, goodbye, dependencies.spend, call.slow_turn)
        guard = self.session_keeper.guard
        self.failures = FailureWatch(context, tracker, guard, self.meter.count_failure)
        self.retry = ResponseRetry(
            context,
            tracker,
            outputs,
            lambda: goodbye.reason is not None,
            enabled=call.retries_responses,
        )
        context.recorder.mapper.models.configured = configured_transcription(call.session)
        context.recorder.lines_to_carry_over = self.lines_to_carry_over

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record what was used, what failed, and which tools were begun."""
        lines = list(lines)
        self.tool_calls.resume(lines)
        self.approvals.resume(lines)
        self.failures.resume(self.meter.resume(lines))
        self.retry.resume(lines)

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What a later run must know of what a record had that has been deleted: what was used and
        what failed, which tools were begun, and what was to be approved."""
        parts = (self.meter, self.tool_calls, self.approvals)
        return [line for part in parts for line in part.lines_to_carry_over()]

    async def answer_abandoned(self) -> None:
        """Answers what an earlier run has left unanswered."""
        await self.tool_calls.answer_abandoned_calls()
        self.approvals.answer_abandoned_requests()

    def handle_server_event(self, event: ServerEvent, *, was_missed: bool = False) -> None:
        """Acts on any event of the call. Sends nothing itself: that is left to background tasks.

        `was_missed` says whether the event's item is one that we have requested because this run
        had missed it.
        """
        self.failures.handle_event(event)
        self.tracker.track_event(event)
        self.mcp_calls.handle_event(event)
        self.approvals.handle_event(event, was_missed=was_missed)
        self.retry.handle_event(event)
        match event:
            case SessionEvent() | NotUnderstood(type="session.created" | "session.updated"):
                self.session_keeper.check_session(event)
            case NotUnderstood(
                type="response.done", reason=(json_frames.TOO_LARGE | json_frames.NO_JSON)
            ):
                # What it used is not known, and counts against the caller's budget.
                self.context.background.start_task(self.goodbye.end_call("usage not readable"))
            case OutputItemDone():
                self.tool_calls.handle_output_item(event)
            case ItemAdded():
                self.tool_calls.note_output(event.item)
            case ItemRetrieved() if was_missed:
                self.tool_calls.handle_missed_item(event.item)
            case ResponseCreated():
                self.goodbye.recognise_response(event)
            case ResponseDone():
                self.meter.count_response(event)
                self.tool_calls.handle_response_done(event)
            case InputTranscribed():
                self.meter.count_transcription(event)
            case ErrorEvent():
                self.session_keeper.handle_error(event)
        self.event_passed()

    def event_passed(self) -> None:
        """An event has been acted on: has the model go on, if that is due."""
        self.goodbye.event_seen.set()
        if not self.goodbye.reason:
            self.tool_calls.outputs.request_response()

    def watch_steering(self, event: ServerEvent, origin: str) -> None:
        """Records what a client does to the call, and cancels a response that uses what the
        profile does not grant, or that is one too many. Comes before the event is acted on.
        `origin` is that of the item that the event is about."""
        is_ours = (
            isinstance(event, ResponseCreated)
            and event.in_conversation
            and (self.tracker.requested is not None or self.goodbye.is_last_answer(event))
        )
        found = self.steering.find(event, origin, is_ours=is_ours)
        if found and isinstance(event, ResponseCreated) and self.is_too_much(event):
            found = replace(found, cancel=event.response_id)
        if found is None or (self.keep_words and isinstance(event, ON_RECORD)):
            return
        about = found.to_fields()
        if found.cancel and self.context.lease.is_good:
            about["cancelled"] = self.context.cancel_response(found.cancel)
        self.context.recorder.add_numbered_line("steered", about)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            logs.event("call steered", **about)

    def is_too_much(self, event: ResponseCreated) -> bool:
        """Whether a response outside the conversation is one too many: there is no end to how many
        a page can begin at once, and each reads the whole conversation."""
        is_full = len(self.tracker.outside_active) >= OUTSIDE_AT_ONCE
        return not event.in_conversation and (is_full or self.goodbye.reason is not None)

    async def reconnected(self) -> None:
        """Sends over the new connection what the lost one did not take. Raises SidebandClosed."""
        self.tracker.start_over()
        self.context.recorder.mapper.turns.start_over()
        self.session_keeper.start_over()
        self.retry.start_over()
        await self.tool_calls.outputs.send_unsent_outputs()
        for request in self.mcp_calls.requests_after_loss():
            self.context.send_in_background({**request, "event_id": new_event_id()})
        self.goodbye.event_seen.set()
