"""How the server ends a Realtime call: one last answer of the model's, then the hang-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from shared.observer.context import Farewell
from shared.observer.goodbye import Goodbye
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.run_context import new_event_id
from shared.realtime.server_events import ResponseCreated

DISTURBED_AT_MOST = 4
"""How many responses outside the conversation a page may begin before the goodbye is cut short."""
PURPOSE = "goodbye"
"""In the metadata of the last answer. A page can ask for a response with the same, so it counts
only once we have asked for ours."""


class LastAnswer(Goodbye):
    """The end of one call by the server, with a last answer."""

    def __init__(
        self,
        context: RealtimeContext,
        tracker: ResponseTracker,
        farewell: Farewell,
        hang_up: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(context, farewell, hang_up)
        self.context = context
        self.tracker = tracker
        self.response_id: str | None = None
        """The response that is the last answer."""
        self.asked = False
        """Whether the last answer has been asked for."""
        self.disturbances = 0

    def begin(self) -> None:
        for response_id in self.tracker.outside_active:
            self.context.cancel_response(response_id)

    def give_up(self) -> None:
        self.disturbances = 0

    def recognise_response(self, event: ResponseCreated) -> None:
        """Takes note of the last answer once it is being made, and of responses that disturb it."""
        if self.reason and not event.in_conversation:
            self.disturbances += 1
        if self.response_id is None and self.is_last_answer(event):
            self.response_id = event.response_id

    def is_last_answer(self, event: ResponseCreated) -> bool:
        """Whether a response is the one that we have asked for."""
        return self.asked and event.in_conversation and event.metadata.get("purpose") == PURPOSE

    async def say_goodbye(self, instructions: str) -> None:
        """Has the model give one last answer, and waits until it has been played."""
        send_event = self.context.connection.send_event
        try:
            async with asyncio.timeout(self.farewell.finish_within.total_seconds()):
                await self.wait_until(lambda: self.tracker.is_quiet)
        except TimeoutError:
            if self.tracker.is_responding:
                await send_event({"type": "response.cancel", "event_id": new_event_id()})
            await send_event({"type": "output_audio_buffer.clear", "event_id": new_event_id()})
        while self.response_id is None:
            await self.wait_until(lambda: not self.tracker.is_responding)
            response = {"instructions": instructions, "metadata": {"purpose": PURPOSE}}
            create = {"type": "response.create", "event_id": new_event_id(), "response": response}
            self.asked = True
            await send_event(create)
            # The caller's words may have begun another response first: then ask again after it.
            await self.wait_until(
                lambda: self.response_id is not None or self.tracker.is_responding
            )
        await self.wait_until(lambda: self.response_id not in self.tracker.active)
        await self.wait_until(lambda: self.response_id not in self.tracker.playing)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """As of any goodbye. Raises TimeoutError if a page uses the time for responses of its
        own."""
        await super().wait_until(lambda: condition() or self.disturbances > DISTURBED_AT_MOST)
        if not condition():
            raise TimeoutError
