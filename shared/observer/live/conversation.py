"""A Live call as a run sees it: what both sides say, and what the server does about it."""

from __future__ import annotations

from shared.core import logs
from shared.live.elapsed_bound import ElapsedBound
from shared.live.frames import AudioFrame
from shared.live.known_names import known_path, known_word
from shared.live.replays import Replays
from shared.live.server_events import LiveError, SessionClosed, SessionEvent
from shared.observer.context import Tally
from shared.observer.conversation import RunParts
from shared.observer.guarded_steps import GuardedSteps
from shared.observer.live.controller import LiveController
from shared.observer.live.live_gaps import LiveGaps
from shared.observer.live.recorder import LiveRecorder
from shared.observer.live.run_context import LiveContext
from shared.observer.live.voice_recorder import VoiceRecorder
from shared.observer.session_expiry import SessionExpiry
from shared.sideband.events import NotUnderstood, ServerEvent
from shared.transcripts.record_lines import StoredLine
from shared.upstream.hang_up_reply import CLOSED

LOGGED_ERRORS = 50
"""In one run: a page decides how many there are, and the record has them."""
ASKED_FOR = ("close_requested", "client_request")
"""Reasons of an end that a client has asked for; Azure's differs from what it documents (recorded
traffic)."""


class LiveConversation:
    """`Conversation` of the Live API."""

    def __init__(self, parts: RunParts) -> None:
        self.parts = parts
        call, dependencies = parts.call, parts.dependencies
        self.recorder = LiveRecorder(
            parts.writer, dependencies.clock, parts.lease.lease.holder, parts.background
        )
        self.context = LiveContext(parts.connection, self.recorder, parts.lease, parts.background)
        self.controller = LiveController(self.context, call, dependencies, parts.hang_up)
        self.goodbye = self.controller.goodbye
        self.gaps = LiveGaps(self.recorder, call.started_at, parts.timing.unnoticed)
        self.replays = Replays()
        self.bound = ElapsedBound(call.started_at, self.recorder.clock())
        self.steps = GuardedSteps(self.recorder)
        self.voices = VoiceRecorder(parts, self.recorder)
        self.expiry = SessionExpiry(call, dependencies, parts.background)
        self.over = ""
        self.proof_of_end = ""
        self.close_reason = ""
        """The service's own word for why it has closed the session."""
        self.errors = 0

    def resume(self, lines: list[StoredLine]) -> None:
        self.controller.resume(lines)
        if any(line.kind == "ended" and line.fields.get("close_reason") for line in lines):
            self.proof_of_end = CLOSED

    def connected(self) -> None:
        self.recorder.start_connection()
        self.voices.connected()

    @property
    def is_busy(self) -> bool:
        return bool(self.controller.calls.running or self.controller.delegations.running)

    async def request_state(self, lines: list[StoredLine]) -> None:
        """Asks for the session, which a new connection need not begin with, and answers what an
        earlier run has left unanswered."""
        await self.controller.request_state()
        if lines:
            await self.controller.answer_abandoned()

    async def reconnected(self) -> None:
        self.controller.reconnected()

    def handle_event(self, event: ServerEvent) -> None:
        if isinstance(event, AudioFrame):
            self.steps.attempt(event, self.voices.add, event)
        elif self.replays.is_replayed(event) and (
            self.over or not isinstance(event, SessionClosed)
        ):
            # The end is the end, whatever id it has.
            self.gaps.note_replayed(event)
        else:
            self.gaps.note_new(event)
            believed = self.bound.apply(event, self.recorder.clock())
            self.steps.attempt(believed, self.recorder.record_event, believed)
            self.steps.attempt(believed, self.controller.handle_server_event, believed)
            self.note_end(believed)

    def note_end(self, event: ServerEvent) -> None:
        """Logs what is wrong, and recognises the end of the session."""
        match event:
            case SessionEvent():
                self.expiry.note_session(event.session)
            case NotUnderstood():
                self.steps.log_unread(event.type, event.reason)
            case LiveError():
                self.log_error(event)
            case SessionClosed():
                self.close_reason = known_word(event.reason)
                self.over = "closed" if event.reason in ASKED_FOR else self.close_reason
                self.proof_of_end = CLOSED
                # The service need not close the connection.
                self.context.background.start_task(self.context.connection.close())

    def log_error(self, error: LiveError) -> None:
        self.errors += 1
        if self.errors <= LOGGED_ERRORS:
            code = known_word(error.code, error.meaning)
            logs.event("error event received", code=code, param=known_path(error.param))

    def call_ended(self, reason: str) -> None:
        self.recorder.record_unfinished()
        self.count_untold_seconds()
        closed = {"close_reason": self.close_reason} if self.close_reason else {}
        self.recorder.add_line("ended", "", {"reason": reason, **closed})

    def never_seen(self) -> None:
        self.count_untold_seconds()

    def count_untold_seconds(self) -> None:
        """What the service has not told of a call's length, the clock does."""
        over_at = self.parts.call.ended_at or self.recorder.clock()
        self.controller.meter.note_call_over(over_at)

    def tally(self) -> Tally:
        return self.controller.meter.tally()

    async def leave(self) -> None:
        self.recorder.record_unfinished()
        await self.voices.close()
