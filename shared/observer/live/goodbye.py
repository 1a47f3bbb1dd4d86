"""How the server ends a Live call: the model says goodbye, the session is closed and hung up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from shared.live import client_events
from shared.live.server_events import (
    ASSISTANT,
    ContextAppended,
    LiveError,
    SessionClosed,
    TranscriptFragment,
    says_what_it_answers,
)
from shared.observer.context import Farewell
from shared.observer.goodbye import Goodbye
from shared.observer.run_context import RunContext, new_event_id
from shared.sideband.events import ServerEvent

SPOKEN_AFTER = timedelta(seconds=2.1)
"""Without another word of the model's: a pause of 1.5 s, and what is heard later than it is
transcribed."""
BEGINS_WITHIN = timedelta(seconds=6)
"""How long after it has been told to the model may take to begin."""
CLOSED_WITHIN = timedelta(seconds=15)


class LiveGoodbye(Goodbye):
    """The end of one Live call by the server. Of what it says only the transcript tells."""

    def __init__(
        self, context: RunContext, farewell: Farewell, hang_up: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(context, farewell, hang_up)
        self.told: str | None = None
        """The id of the append that asks for the goodbye."""
        self.is_told = False
        self.ids_are_told = False
        """As in `Appends`."""
        self.told_at_ms = 0
        self.words = 0
        """How many fragments of the goodbye have come."""
        self.is_closed = asyncio.Event()

    def handle_event(self, event: ServerEvent) -> None:
        """Follows the goodbye. To be given every event of the call."""
        self.ids_are_told = self.ids_are_told or says_what_it_answers(event)
        match event:
            case SessionClosed():
                self.is_closed.set()
            case ContextAppended() if self.awaits(event):
                self.is_told, self.told_at_ms = True, event.start_ms
            case LiveError() if self.told and event.caused_by == self.told:
                self.is_told = True
            case TranscriptFragment(speaker=speaker) if speaker == ASSISTANT and self.is_told:
                self.words += event.start_ms >= self.told_at_ms
        self.event_seen.set()

    def awaits(self, event: ContextAppended) -> bool:
        """Whether an event acknowledges what asks for the goodbye. Not every service says which
        append it was."""
        is_it = event.client_event_id == self.told or (
            event.client_event_id is None and event.what == "instructions" and not self.ids_are_told
        )
        return self.told is not None and not self.is_told and is_it

    async def say_goodbye(self, instructions: str) -> None:
        """Has the model say goodbye, and waits until it has. The `timeout` of the farewell bounds
        all of it."""
        self.told = new_event_id()
        event = client_events.append_instructions(instructions, self.told)
        await self.run.connection.send_event(event)
        await self.wait_until(lambda: self.is_told or self.is_closed.is_set())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGINS_WITHIN.total_seconds()):
                await self.wait_until(lambda: self.words > 0 or self.is_closed.is_set())
        while self.words and not self.is_closed.is_set():
            try:
                async with asyncio.timeout(SPOKEN_AFTER.total_seconds()):
                    await self.wait_until(partial(self.has_gone_on, self.words))
            except TimeoutError:
                return

    def has_gone_on(self, words: int) -> bool:
        """Whether more than so many fragments of the goodbye have come, or the session is over."""
        return self.words > words or self.is_closed.is_set()

    async def close_session(self) -> None:
        """Closes the session, so that its final usage is told. Raises SidebandClosed."""
        await self.run.connection.send_event(client_events.close_session(new_event_id()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSED_WITHIN.total_seconds()):
                await self.is_closed.wait()
