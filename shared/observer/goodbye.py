"""How the server ends a call: the assistant's last words, then the hang-up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Farewell
from shared.observer.run_context import RunContext
from shared.sideband.sideband import SidebandClosed

HANG_UP_TRIES = 3


class Goodbye(ABC):
    """The end of one call by the server. `hang_up` may raise Problem."""

    def __init__(
        self, context: RunContext, farewell: Farewell, hang_up: Callable[[], Awaitable[None]]
    ) -> None:
        self.run = context
        self.farewell = farewell
        self.hang_up = hang_up
        self.reason: str | None = None
        """Why the call is being ended; None while it is not."""
        self.event_seen = asyncio.Event()
        """To be set after each event of the call."""
        self.hanging_up = False
        self.hung_up = asyncio.Event()

    @abstractmethod
    async def say_goodbye(self, instructions: str) -> None:
        """Has the assistant say its last words, and waits until they have been heard. Raises
        TimeoutError, SidebandClosed."""

    def begin(self) -> None:  # noqa: B027
        """The call is being ended from now on."""

    async def close_session(self) -> None:  # noqa: B027
        """Ends the call on the sideband, where the API has that. Raises SidebandClosed."""

    def give_up(self) -> None:  # noqa: B027
        """The call could not be hung up, and goes on."""

    async def end_call(self, reason: str) -> None:
        """Says goodbye, where there is something to say, then hangs up. Repeating it is fine."""
        if self.reason or not self.run.lease.is_good:
            return
        self.reason = reason
        self.begin()
        try:
            async with asyncio.timeout(self.farewell.timeout.total_seconds()):
                if self.farewell.instructions:
                    await self.say_goodbye(self.farewell.instructions)
        except (TimeoutError, SidebandClosed):
            logs.event("goodbye not spoken", reason=reason)
        self.hanging_up = True
        with contextlib.suppress(SidebandClosed):
            await self.close_session()
        for left in reversed(range(HANG_UP_TRIES)):
            try:
                await self.hang_up()
                self.hung_up.set()
                return
            except Problem as problem:
                logs.event("call not hung up", logging.WARNING, code=problem.code)
                await asyncio.sleep(self.farewell.hang_up_pause.total_seconds() if left else 0)
        # The delayed message of the call's hard limit hangs up in any case.
        self.reason, self.hanging_up = None, False
        self.give_up()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits for server events to make the condition true."""
        while not condition():
            self.event_seen.clear()
            await self.event_seen.wait()

    async def wait_for_hang_up(self) -> bool:
        """Whether the hang-up that is under way succeeds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.farewell.timeout.total_seconds()):
                await self.hung_up.wait()
        return self.hung_up.is_set()
