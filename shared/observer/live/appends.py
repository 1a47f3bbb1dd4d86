"""Tells the model of a Live call something, and sees to it that it arrives.

An append is acknowledged by an event that carries its id. One that was lost with its connection is
sent again over the next, once what that repeats has shown whether it had arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from shared.core.bounded import BoundedDict, BoundedSet
from shared.live import client_events
from shared.live.client_events import Event
from shared.live.server_events import ContextAppended, LiveError, says_what_it_answers
from shared.observer.run_context import RunContext, new_event_id
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import SidebandClosed

AWAITED_AT_MOST = 100
AFTER_REPLAY = timedelta(seconds=1)
TRY_AGAIN_AFTER = timedelta(seconds=3)
"""An append is refused while a sound is being played, for one."""
SORRY = "That could not be done just now. Say so, and offer to try again."
SORRY_PAUSE = timedelta(seconds=10)
SORRY_AT_MOST = 10


class Appends:
    """The appends of one call. `refused` is told of each that is given up."""

    def __init__(self, context: RunContext, refused: Callable[[LiveError], None]) -> None:
        self.context = context
        self.refused = refused
        self.awaited: BoundedDict[str, Event] = BoundedDict(AWAITED_AT_MOST)
        """What has not been acknowledged, by its id."""
        self.ids_are_told = False
        """Whether this service's acknowledgements say what they answer: one that does not then
        answers a page, which has sent no id."""
        self.tried_again: BoundedSet[str] = BoundedSet(AWAITED_AT_MOST)
        self.sorries = 0
        self.may_be_sorry = True

    async def answer(self, delegation_id: str, pieces: list[str]) -> None:
        """Answers a delegation to this server."""
        for piece in pieces:
            await self.send(client_events.append_commentary(piece, new_event_id(), delegation_id))

    async def instruct(self, instructions: str) -> None:
        """Tells the model what holds from now on."""
        await self.send(client_events.append_instructions(instructions, new_event_id()))

    async def note(self, content: str) -> None:
        """Tells the model something that it need not say."""
        await self.send(client_events.append_thinking(content, new_event_id()))

    def apologise(self) -> None:
        """Has the model say that what it waits for does not come: nothing else would tell it."""
        if not self.may_be_sorry or self.sorries >= SORRY_AT_MOST:
            return
        self.sorries, self.may_be_sorry = self.sorries + 1, False
        self.context.background.call_later(SORRY_PAUSE, self.allow_apology)
        event = client_events.append_commentary(SORRY, new_event_id())
        self.context.background.start_task(self.send(event))

    def allow_apology(self) -> None:
        self.may_be_sorry = True

    async def send(self, event: Event) -> None:
        """Sends an append, on the next connection if this one is lost."""
        self.awaited[event["event_id"]] = event
        if not self.context.lease.is_good:
            return
        try:
            await self.context.connection.send_event(event)
        except SidebandClosed:
            return

    def awaited_by(self, event: ContextAppended) -> str | None:
        """The id of the append of ours that an event acknowledges. Not every service says which
        one it was: then it is the oldest of its kind."""
        if event.client_event_id is not None:
            return event.client_event_id if event.client_event_id in self.awaited else None
        if self.ids_are_told:
            return None
        kind = f"session.{event.what}.append"
        found = (name for name, each in self.awaited.items() if each["type"] == kind)
        return next(found, None)

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of what answers an append."""
        self.ids_are_told = self.ids_are_told or says_what_it_answers(event)
        if isinstance(event, ContextAppended):
            self.awaited.pop(self.awaited_by(event) or "", None)
        elif isinstance(event, LiveError) and event.caused_by:
            refused = self.awaited.pop(event.caused_by, None)
            if refused is not None:
                self.handle_refusal(refused, event)

    def handle_refusal(self, refused: Event, error: LiveError) -> None:
        """Sends it once more: later, and to nobody in particular, because a delegation may be
        known no longer."""
        if refused["event_id"] in self.tried_again:
            self.refused(error)
            return
        again = {**refused, "event_id": new_event_id(), "delegation_id": None}
        self.tried_again.add(again["event_id"])
        pause = timedelta(0) if refused["delegation_id"] else TRY_AGAIN_AFTER
        self.context.background.call_later(pause, lambda: self.send_if_ours(again))

    def send_if_ours(self, event: Event) -> None:
        if self.context.lease.is_good:
            self.context.background.start_task(self.send(event))

    def reconnected(self) -> None:
        """There is another connection: what does not turn out to have arrived is sent again."""
        for event_id in list(self.awaited):
            self.context.background.call_later(AFTER_REPLAY, partial(self.repeat, event_id))

    def repeat(self, event_id: str) -> None:
        event = self.awaited.get(event_id)
        if event is not None:
            self.send_if_ours(event)
