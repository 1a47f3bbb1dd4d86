"""How the server ends a call: one last answer of the model's, then the hang-up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Farewell
from shared.observer.response_tracker import ResponseTracker
from shared.observer.run_context import RunContext, new_event_id
from shared.realtime.server_events import ResponseCreated
from shared.sideband.sideband import SidebandClosed

HANG_UP_TRIES = 3
DISTURBED_AT_MOST = 4
"""How many responses outside the conversation a page may begin before the goodbye is cut short."""
PURPOSE = "goodbye"
"""In the metadata of the last answer. A page can ask for a response with the same, so it counts
only once we have asked for ours."""


class Goodbye:
    """The end of one call by the server. `hang_up` may raise Problem."""

    def __init__(
        self,
        context: RunContext,
        tracker: ResponseTracker,
        farewell: Farewell,
        hang_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.farewell = farewell
        self.hang_up = hang_up
        self.reason: str | None = None
        """Why the call is being ended; None while it is not."""
        self.response_id: str | None = None
        """The response that is the last answer."""
        self.asked = False
        """Whether the last answer has been asked for."""
        self.disturbances = 0
        self.event_seen = asyncio.Event()
        self.hanging_up = False
        self.hung_up = asyncio.Event()

    async def end_call(self, reason: str) -> None:
        """Says goodbye, where there is something to say, then hangs up. Repeating it is fine."""
        if self.reason or not self.context.lease.is_good:
            return
        self.reason = reason
        for response_id in self.tracker.outside_active:
            self.context.cancel_response(response_id)
        try:
            async with asyncio.timeout(self.farewell.timeout.total_seconds()):
                if self.farewell.instructions:
                    await self.say_goodbye(self.farewell.instructions)
        except (TimeoutError, SidebandClosed):
            logs.event("goodbye not spoken", reason=reason)
        self.hanging_up = True
        for left in reversed(range(HANG_UP_TRIES)):
            try:
                await self.hang_up()
                self.hung_up.set()
                return
            except Problem as problem:
                logs.event("call not hung up", logging.WARNING, code=problem.code)
                await asyncio.sleep(self.farewell.hang_up_pause.total_seconds() if left else 0)
        # The delayed message of the call's hard limit hangs up in any case.
        self.reason, self.hanging_up, self.disturbances = None, False, 0

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
        """Waits for server events to make the condition true. Raises TimeoutError if a page uses
        the time for responses of its own."""
        while not condition():
            if self.disturbances > DISTURBED_AT_MOST:
                raise TimeoutError
            self.event_seen.clear()
            await self.event_seen.wait()

    async def wait_for_hang_up(self) -> bool:
        """Whether the hang-up that is under way succeeds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.farewell.timeout.total_seconds()):
                await self.hung_up.wait()
        return self.hung_up.is_set()
