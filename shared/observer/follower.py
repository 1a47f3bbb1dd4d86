"""Follows one call, event by event, from the first connection to the end of the call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import HangUp, ObservedCall, ObserverResult, Outcome
from shared.observer.conversation import Conversation
from shared.observer.leases import ATTACHED
from shared.observer.timing import Timing
from shared.sideband.events import ServerEvent
from shared.sideband.fingerprints import fingerprint
from shared.sideband.sideband import NoSuchCall, SidebandClosed, SidebandUnavailable
from shared.transcripts.record_lines import StoredLine

HANDLED_AT_MOST = 1_000
PROMPT_404 = timedelta(seconds=1)
"""A call that had ended before the close answers the next dial with 404 within this time."""


class CallFollower:
    """Hands each server event to the conversation, and redials when the connection is lost."""

    def __init__(
        self, conversation: Conversation, call: ObservedCall, timing: Timing, hang_up: HangUp
    ) -> None:
        self.conversation = conversation
        self.context = conversation.context
        self.gaps = conversation.gaps
        self.call = call
        self.timing = timing
        self.hang_up = hang_up
        self.heard_at = self.gaps.attached_at
        """When the last event came, or the connection was made."""
        self.handled: deque[int] = deque(maxlen=HANDLED_AT_MOST)
        """The fingerprints of the last events, since another run may be connected."""
        self.settled_by = ""
        """What the call is settled by, once this run has hung it up."""

    @property
    def is_ending_call(self) -> bool:
        """Whether this run is ending the call."""
        return self.conversation.goodbye.reason is not None

    def begin(self, lines: list[StoredLine], connected_at: datetime | None = None) -> None:
        """Records that the run is connected, and requests the state of the call. `connected_at`:
        since then, while another run was still following the call."""
        context = self.context
        if connected_at is None:
            self.gaps.note_attached(lines, context.lease.previous_renewal)
        else:
            self.gaps.note_handed_over(connected_at)
        context.recorder.add_line("attached", context.recorder.holder, {})
        if self.call.continues:
            context.recorder.add_line("continues", self.call.continues, {})
        context.background.start_task(self.request_state(lines))
        self.set_timers(self.gaps.attached_at)
        if self.call.ends_at and self.call.farewell.instructions:
            left = self.call.ends_at - self.gaps.attached_at - self.timing.goodbye_ahead
            end_call = partial(self.conversation.goodbye.end_call, "time limit")
            context.background.call_later(left, lambda: context.background.start_task(end_call()))

    async def request_state(self, lines: list[StoredLine]) -> None:
        """Requests what the run has to know over a new connection."""
        await self.conversation.request_state(lines)
        await self.context.lease.renew(ATTACHED)

    async def follow(self) -> ObserverResult:
        """Handles events until the call is over. A closed connection says nothing about the call
        and is redialled: a call that is over answers 404, and a hang-up confirms that."""
        conversation, connection = self.conversation, self.context.connection
        goodbye = conversation.goodbye
        while True:
            closed = await self.handle_events()
            since = self.lost_since(closed)
            self.gaps.note_lost(since)
            # A run may be killed while it dials.
            self.context.background.call_later(self.timing.lost_after, self.gaps.record_loss)
            if goodbye.hanging_up and await goodbye.wait_for_hang_up():
                if closed.clean or conversation.over:
                    self.gaps.note_ended_at_once(since)
                return self.call_ended(goodbye.reason or "closed")
            if conversation.over:
                self.gaps.note_ended_at_once(since)
                return await self.confirm_end(partial(self.call_ended, conversation.over))
            if refused_as := connection.refusal_in(closed):
                return self.unreachable(refused_as)
            try:
                await connection.dial()
            except NoSuchCall:
                prompt = self.gaps.recorder.clock() - since <= PROMPT_404
                if closed.clean and prompt and not connection.was_refused:
                    # Closed rather than lost: the call has not gone on for a while.
                    self.gaps.note_ended_at_once(since)
                over = partial(self.call_ended, goodbye.reason or "closed")
                return await self.confirm_end(over)
            except SidebandUnavailable as error:
                return self.unreachable(str(error))
            self.set_timers(self.gaps.note_reconnected())
            with contextlib.suppress(SidebandClosed):
                await conversation.reconnected()
            # A page may have changed the session meanwhile, and the first look may be lost.
            self.context.background.start_task(self.request_state([]))

    def lost_since(self, closed: SidebandClosed) -> datetime:
        """Since when something may be missing. Without a closing handshake nobody knows since when
        nothing has come through."""
        now = self.gaps.recorder.clock()
        if closed.clean:
            return now
        return self.heard_at if closed.silent_for is None else now - closed.silent_for

    def set_timers(self, connected_at: datetime) -> None:
        """What is due if the connection of that time holds."""
        self.conversation.connected()
        self.context.background.call_later(
            self.timing.holds_after, partial(self.gaps.note_held, connected_at)
        )

    async def handle_events(self) -> SidebandClosed:
        """Handles events until the connection closes."""
        loop, connection = asyncio.get_running_loop(), self.context.connection
        self.heard_at = self.gaps.recorder.clock()
        turn_ends = loop.time() + self.timing.turn.total_seconds()
        while True:
            if loop.time() >= turn_ends:
                # Events that have come already are received without waiting.
                await asyncio.sleep(0)
                turn_ends = loop.time() + self.timing.turn.total_seconds()
            self.context.recorder.note_catching_up(connection.is_catching_up)
            try:
                if await connection.deliver_events(self.handle_event):
                    continue
                event = await connection.receive_event()
            except SidebandClosed as closed:
                held = round(connection.held.total_seconds(), 1)
                logs.event("sideband closed", code=closed.code, held_seconds=held)
                return closed
            self.handle_event(event)

    def handle_event(self, event: ServerEvent) -> None:
        """Hands an event to the conversation."""
        self.heard_at = self.gaps.recorder.clock()
        self.conversation.handle_event(event)
        if self.context.lease.was_offered:
            self.handled.append(fingerprint(event))

    async def confirm_end(self, over: Callable[[], ObserverResult]) -> ObserverResult:
        """Has upstream confirm, in answer to a hang-up, that the call is over; then `over` gives
        the result. Until it does the call goes on, and another run looks at it."""
        if not self.context.lease.is_good:
            return self.unreachable("lease ran out")
        try:
            await self.end_upstream()
        except Problem as problem:
            return self.unreachable(f"end not confirmed: {problem.code}")
        return over()

    async def end_upstream(self) -> None:
        """Hangs the call up. Raises Problem unless upstream confirms that it is over, or has told
        so on the sideband."""
        try:
            self.settled_by = await self.hang_up()
        except Problem:
            self.settled_by = self.conversation.proof_of_end
            if not self.settled_by:
                raise

    def call_ended(self, reason: str) -> ObserverResult:
        """Records that the call is over."""
        self.gaps.note_call_ended()
        self.conversation.call_ended(reason)
        return self.result(Outcome.ENDED, reason)

    def never_seen(self) -> ObserverResult:
        """The call is over, and no run has ever been connected to it."""
        self.conversation.never_seen()
        return self.result(Outcome.NOT_FOUND)

    def unreachable(self, reason: str) -> ObserverResult:
        """The call cannot be followed now. It still counts, and is hung up at its limit."""
        self.gaps.record_loss()
        logs.event("sideband unavailable", logging.WARNING, reason=reason)
        return self.result(Outcome.UNREACHABLE, reason)

    def result(self, outcome: Outcome, reason: str = "") -> ObserverResult:
        """The result of this run, with the tally of the call."""
        return ObserverResult(outcome, reason, self.conversation.tally(), self.settled_by)
