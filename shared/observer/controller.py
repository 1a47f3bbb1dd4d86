"""What the server does to a running call: it restores the session, runs tools, keeps the token
budget, and ends the call with a goodbye.

The rules are in `session_guard` and `response_tracker`, which do no I/O; here they meet the
connection.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Dependencies, ObservedCall, Spend
from shared.observer.goodbye import Goodbye
from shared.observer.response_tracker import ResponseTracker
from shared.observer.run_context import RunContext, new_event_id
from shared.observer.session_guard import SessionGuard
from shared.observer.tool_calls import ToolCalls
from shared.realtime.server_events import (
    ErrorEvent,
    ItemAdded,
    ItemRetrieved,
    OutputItemDone,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SessionEvent,
)
from shared.transcripts.record_lines import StoredLine
from shared.usage import tokens
from shared.usage.tokens import UsageCounter


class CallController:
    """Acts on one call, event by event."""

    def __init__(
        self,
        context: RunContext,
        call: ObservedCall,
        dependencies: Dependencies,
        goodbye: Goodbye,
        tracker: ResponseTracker,
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.goodbye = goodbye
        self.tool_calls = ToolCalls(context, tracker, dependencies.registry, call.granted)
        self.session_guard = SessionGuard(call.session) if call.session is not None else None
        self.spend = dependencies.spend
        self.usage_counter = UsageCounter()

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record what was used, and which tools were begun."""
        lines = list(lines)
        self.tool_calls.resume(lines)
        for line in lines:
            if line.kind == "response":
                usage = tokens.usage_of_counts(line.fields.get("usage") or {})
                self.usage_counter.count_response(line.key, usage)

    def handle_server_event(self, event: ServerEvent) -> None:
        """Acts on any event of the call. Sends nothing itself: that is left to background tasks."""
        self.tracker.track_event(event)
        match event:
            case SessionEvent():
                self.check_session(event)
            case OutputItemDone():
                self.tool_calls.handle_complete_item(event.item)
            case ItemAdded():
                self.tool_calls.note_output(event.item)
            case ItemRetrieved():
                self.tool_calls.handle_retrieved_item(event.item)
            case ResponseCreated():
                self.goodbye.recognise_response(event)
            case ResponseDone():
                self.count_usage(event)
            case ErrorEvent() if self.session_guard:
                self.session_guard.update_refused(event.caused_by)
        self.goodbye.event_seen.set()
        if not self.goodbye.reason:
            self.tool_calls.request_response()

    def check_session(self, event: SessionEvent) -> None:
        """Restores what a page has overridden in the session."""
        if self.session_guard is None or not self.context.lease.is_good:
            return
        names = self.session_guard.overridden_fields(event.session)
        update = self.session_guard.restoring_update(event.session, new_event_id())
        if update is not None:
            self.context.send_in_background(update)
        if names and (update is not None or not self.session_guard.restores_left):
            about = {"overridden": names, "put_back": update is not None}
            self.context.recorder.add_line("session", str(event.event_id), about)
            logs.event("session overridden", logging.WARNING, **about)

    def count_usage(self, event: ResponseDone) -> None:
        """Counts a finished response, and has the budget checked."""
        if self.usage_counter.count_response(event.response_id, event.usage) and self.spend:
            self.context.background.start_task(self.check_budget(self.spend))

    async def check_budget(self, spend: Spend) -> None:
        """Ends the call if the budget is used up. While the ledger is away no call is ended."""
        try:
            used_up = await spend(self.usage_counter.usage)
        except Problem as problem:
            logs.event("usage not recorded", logging.WARNING, code=problem.code)
            return
        if used_up:
            await self.goodbye.end_call("token budget")

    async def reconnected(self) -> None:
        """Sends over the new connection what the lost one did not take. Raises SidebandClosed."""
        self.tracker.start_over()
        await self.tool_calls.send_unsent_outputs()
        self.goodbye.event_seen.set()
