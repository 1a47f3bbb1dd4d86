"""Hands a call over to another instance, because this process is to stop.

The call is offered, and a run elsewhere connects and asks for it. This run goes on until what is
under way has reached that one, accepts it, and only then stops handling events: a run that asks
later would have missed what came in between. Delivered twice or offered anew, a call may have
several runs that ask for it; the last of them gets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Dependencies
from shared.observer.follower import CallFollower
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.timing import Timing
from shared.storage.interfaces import StorageUnavailable


class HandOver:
    """Of one run, whose lease and events it knows."""

    def __init__(
        self,
        lease: LeaseKeeper,
        follower: CallFollower,
        dependencies: Dependencies,
        timing: Timing,
    ) -> None:
        self.lease = lease
        self.follower = follower
        self.stopping = dependencies.stopping
        self.pass_on = dependencies.pass_on
        self.timing = timing

    async def wait_to_leave(self) -> None:
        """Once the process is to stop, offers the call to other instances; returns when one of them
        is to get it and nothing is under way here. Raises LeaseLost."""
        await self.stopping.wait()
        poll, again = self.timing.heir_polled, self.timing.offered_every.total_seconds()
        await wait_while(lambda: self.follower.is_ending_call, poll)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again):
                    if not await self.offer_call():
                        continue
                await self.finish_work()
                # Whoever asked may have given up meanwhile.
                async with asyncio.timeout(again):
                    await self.lease.wait_for_heir(poll)
                if await self.succeeds("call not handed over", self.lease.accept):
                    return

    async def finish_work(self) -> None:
        """Lets what is under way reach the next run, and finishes what only this one can."""
        await asyncio.sleep(self.timing.overlap.total_seconds())
        conversation, follower = self.follower.conversation, self.follower
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timing.finishes_within.total_seconds()):
                await wait_while(
                    lambda: conversation.is_busy or follower.is_ending_call,
                    self.timing.heir_polled,
                )

    async def offer_call(self) -> bool:
        """Offers the call once; returns when another run asks for it, or the offer has failed."""

        async def offer() -> bool:
            await self.lease.offer()
            await self.pass_on()
            return True

        if not await self.succeeds("call not offered", offer):
            return False
        await self.lease.wait_for_heir(self.timing.heir_polled)
        return True

    async def succeeds(self, failed: str, step: Callable[[], Awaitable[bool]]) -> bool:
        """What a step gives; False, after a pause, where storage is unavailable. Raises
        LeaseLost."""
        try:
            return await step()
        except (Problem, StorageUnavailable) as error:
            logs.event(failed, logging.WARNING, reason=type(error).__name__)
            await asyncio.sleep(self.timing.storage_retry.total_seconds())
            return False


async def wait_while(condition: Callable[[], bool], poll: timedelta) -> None:
    """Returns once the condition does not hold. No event tells of it."""
    while condition():  # noqa: ASYNC110
        await asyncio.sleep(poll.total_seconds())
