"""What the server does to a running Live call: it does what is delegated to it, keeps the session
to its profile, counts what is used and what fails, and ends the call with a goodbye. Each has a
module of its own; here they are told of every event, in their order.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from shared.core import logs
from shared.live.server_events import (
    BackendEvent,
    BackendResponseCreated,
    BackendResponseDone,
    ContextAppended,
    DelegationCreated,
    FunctionCallDone,
    LiveError,
    SessionEvent,
)
from shared.observer.context import Dependencies, ObservedCall
from shared.observer.live.appends import Appends
from shared.observer.live.client_delegations import ClientDelegations
from shared.observer.live.delegated_calls import DelegatedCalls
from shared.observer.live.failure_watch import LiveFailureWatch
from shared.observer.live.goodbye import LiveGoodbye
from shared.observer.live.live_meter import LiveMeter
from shared.observer.live.run_context import LiveContext
from shared.observer.live.session_keeper import LiveSessionKeeper
from shared.observer.live.steering import LiveSteering, decides, find_steering, functions_on_page
from shared.observer.live.unasked_work import UnaskedWork
from shared.sideband.events import NotUnderstood, ServerEvent
from shared.transcripts.failures import (
    APPEND_REFUSED,
    DELEGATION_FAILED,
    OUTPUT_REFUSED,
    TOOLS_ENDED,
    UPDATE_REFUSED,
)
from shared.transcripts.record_lines import RecordLine, StoredLine

LOGGED_AT_MOST = 20
"""Of what a page does, in one run: the record has the rest."""
BUFFER_FULL = "response_input_buffer_full"
NO_MORE_TOOLS = (
    "From now on nothing can be looked up or done in this call: its room for results is used up. "
    "Say so if it is needed, and do not promise to look anything up."
)
LOST_WORK = (
    "If the caller still waits for something to be looked up or done, it is lost: the server was "
    "away for a while. Say so, and offer to do it again."
)


class LiveController:
    """Acts on one call, event by event. Events that are replayed are not to be given to it."""

    def __init__(
        self,
        context: LiveContext,
        call: ObservedCall,
        dependencies: Dependencies,
        hang_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.context = context
        self.goodbye = LiveGoodbye(context, call.farewell, hang_up)
        self.meter = LiveMeter(
            context, self.goodbye, dependencies.spend, call.started_at, call.slow_turn
        )
        self.failures = LiveFailureWatch(
            context, self.meter.count_failure, lambda: self.calls.work.unbegun is not None
        )
        self.session_keeper = LiveSessionKeeper(context, call.session)
        self.appends = Appends(context, lambda error: self.failures.note(APPEND_REFUSED, error))
        registry, granted = dependencies.registry, call.granted
        self.granted = None if call.session is None else granted
        on_page = functions_on_page(call.session, granted)
        self.calls = DelegatedCalls(
            context, registry, granted, on_page, self.end_tools, self.work_given_up
        )
        spoken = context.recorder.mapper.turns.spoken
        function = registry.delegation_named(call.delegation_function)
        self.delegations = ClientDelegations(context, registry, self.appends, spoken, function)
        self.decides = decides(call.session)
        self.unasked = UnaskedWork(context, partial(self.note_steering, LiveSteering("response")))
        self.tools_ended = False
        self.logged = 0
        context.recorder.lines_to_carry_over = self.lines_to_carry_over

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record what was used, what failed, and what was begun."""
        lines = list(lines)
        self.failures.resume(self.meter.resume(lines))
        self.calls.resume(lines)
        self.delegations.resume(lines)
        self.unasked.resume(lines)
        self.tools_ended = any(line.kind == "tools ended" for line in lines)
        if self.tools_ended:
            self.session_keeper.resume_without_functions()

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What a later run must know of what a record had that has been deleted."""
        parts = (self.meter, self.calls, self.delegations)
        return [line for part in parts for line in part.lines_to_carry_over()]

    async def request_state(self) -> None:
        """Asks for the session as it is. Raises SidebandClosed."""
        await self.session_keeper.read_session()

    async def answer_abandoned(self) -> None:
        """Answers what an earlier run has left unanswered."""
        self.calls.work.look_for_lost_work(self.work_lost)
        await self.calls.answer_abandoned()
        await self.delegations.answer_abandoned()

    def handle_server_event(self, event: ServerEvent) -> None:
        """Acts on any event of the call. Sends nothing itself: that is left to background tasks."""
        self.watch_steering(event)
        self.unasked.handle_event(event, is_ours=self.calls.work.asked is not None)
        self.failures.handle_event(event)
        self.meter.handle_event(event)
        match event:
            case SessionEvent() | NotUnderstood(type="session.started" | "session.updated"):
                self.session_keeper.check_session(event)
            case DelegationCreated():
                self.calls.work.handle_delegation(event)
                self.delegations.handle_delegation(event)
            case BackendEvent():
                self.handle_backend_event(event)
            case LiveError():
                self.handle_error(event)
        self.appends.handle_event(event)
        self.goodbye.handle_event(event)

    def handle_backend_event(self, event: BackendEvent) -> None:
        if isinstance(event, BackendResponseCreated):
            self.calls.outputs.work_went_on()
        self.calls.work.handle_event(event)
        if isinstance(event, FunctionCallDone):
            self.calls.handle_call(event)
        elif isinstance(event, BackendResponseDone) and event.status != "completed":
            self.appends.apologise()

    def handle_error(self, error: LiveError) -> None:
        """An error answers something of ours, or says that delegated work has come to nothing."""
        if self.failures.fails_delegation(error):
            self.calls.work.reset()
            self.appends.apologise()
        elif call_id := self.calls.outputs.answers(error.caused_by):
            self.failures.note(OUTPUT_REFUSED, error)
            self.calls.work.owed.discard(call_id)
            if error.code == BUFFER_FULL:
                self.context.background.start_task(self.calls.outputs.refuse(call_id))
        elif self.session_keeper.is_ours(error.caused_by):
            self.failures.note(UPDATE_REFUSED, error)
            self.session_keeper.handle_error(error)
        else:
            self.calls.work.handle_error(error)

    def work_given_up(self, reason: str) -> None:
        """Delegated work does not go on, whatever is sent."""
        self.failures.note_without_event(DELEGATION_FAILED, reason)
        self.appends.apologise()

    def work_lost(self) -> None:
        """Delegated work may wait for something that was asked for while nobody was connected."""
        self.failures.note_without_event(DELEGATION_FAILED, "lost")
        self.context.background.start_task(self.appends.note(LOST_WORK))

    def end_tools(self) -> None:
        """Nothing can be delivered any more: says so, once, and has no function called again."""
        if self.tools_ended:
            return
        self.tools_ended = self.calls.outputs.budget.is_over = True
        self.calls.work.reset()
        self.context.recorder.add_line("tools ended", "", {"reason": "no room"})
        self.failures.note_without_event(TOOLS_ENDED, BUFFER_FULL)
        self.session_keeper.drop_functions()
        self.context.background.start_task(self.appends.instruct(NO_MORE_TOOLS))

    def watch_steering(self, event: ServerEvent) -> None:
        """Records what a client does to the call. Comes before the event is acted on."""
        if found := find_steering(event, self.is_ours, self.granted, decides=self.decides):
            self.note_steering(found)

    def note_steering(self, found: LiveSteering) -> None:
        about = found.to_fields()
        self.context.recorder.add_numbered_line("steered", about)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            logs.event("call steered", logging.WARNING, **about)

    def is_ours(self, event: ServerEvent) -> bool:
        """Whether an event answers something that the server has sent, and is the first to."""
        match event:
            case ContextAppended():
                return self.goodbye.awaits(event) or self.appends.awaited_by(event) is not None
            case DelegationCreated(client_event_id=str(event_id)):
                return event_id == self.calls.work.asked
        return False

    def reconnected(self) -> None:
        """There is another connection: what the lost one did not take is sent once it is clear."""
        self.session_keeper.start_over()
        self.calls.work.look_for_lost_work(self.work_lost)
        self.calls.reconnected()
        self.unasked.reconnected()
        self.appends.reconnected()
        self.goodbye.event_seen.set()
