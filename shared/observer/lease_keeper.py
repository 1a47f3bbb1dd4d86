"""Holds the lease of one call for as long as its run lasts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.core import logs
from shared.core.blocking import run_blocking
from shared.core.clock import EPOCH, Clock
from shared.core.problems import Problem
from shared.core.tasks import mark_retrieved
from shared.observer.leases import Lease, LeaseStore
from shared.storage.interfaces import StorageUnavailable

T = TypeVar("T")


class LeaseKeeper:
    """One lease. The store blocks, so it is called on `executor`."""

    def __init__(
        self, leases: LeaseStore, lease: Lease, clock: Clock, executor: Executor | None
    ) -> None:
        self.leases = leases
        self.lease = lease
        self.clock = clock
        self.executor = executor
        self.lock = asyncio.Lock()
        self.renewal: asyncio.Future[None] | None = None
        """The latest one: whoever waits for it may be gone."""
        self.is_awaited = False
        """Whether another run still holds it, and is to hand it over."""
        self.was_offered = False
        self.is_accepted = False
        """Whether it is to be handed over to the run that has asked for it."""
        self.handled = ""
        """What the run that has handed it over has handled last (`Lease`)."""

    @classmethod
    async def acquire(
        cls,
        leases: LeaseStore,
        call_id: str,
        holder: str,
        clock: Clock,
        executor: Executor | None,
    ) -> LeaseKeeper | None:
        """The lease of that call; None while another run holds it. Raises Problem."""
        work = partial(leases.acquire, call_id, holder)
        lease = await run_blocking(executor, work)
        return cls(leases, lease, clock, executor) if lease else None

    @classmethod
    async def offered(
        cls,
        leases: LeaseStore,
        call_id: str,
        holder: str,
        clock: Clock,
        executor: Executor | None,
    ) -> LeaseKeeper | None:
        """One that waits for a lease that its holder wants to hand over; None if there is no such
        lease. Raises Problem."""
        work = partial(leases.holder, call_id)
        present = await run_blocking(executor, work)
        if present is None or not present.is_offered:
            return None
        keeper = cls(leases, Lease(call_id, holder, EPOCH), clock, executor)
        keeper.is_awaited = True
        return keeper

    async def take_over(self, patience: timedelta, poll: timedelta) -> bool:
        """Asks the holder for the lease and waits until it has handed it over. False: it has not,
        or has given it to another run. Raises Problem."""
        call_id, holder = self.lease.call_id, self.lease.holder
        if not await self.run_blocking(partial(self.leases.claim, call_id, holder)):
            return False
        give_up_at = asyncio.get_running_loop().time() + patience.total_seconds()
        while asyncio.get_running_loop().time() < give_up_at:
            await asyncio.sleep(poll.total_seconds())
            try:
                present = await self.run_blocking(partial(self.leases.latest, call_id))
            except Problem:
                continue
            if present is not None and present.holder == holder:
                self.lease, self.is_awaited = replace(present, handled=""), False
                self.handled = present.handled
                return True
            if present is None or present.heir != holder:
                return False
        return False

    async def withdraw(self) -> None:
        """The run does not wait for the lease any more. Raises Problem."""
        call_id, holder = self.lease.call_id, self.lease.holder
        await self.run_blocking(partial(self.leases.withdraw, call_id, holder))

    async def offer(self) -> None:
        """Lets another run ask for the lease. Raises LeaseLost, Problem storage_unavailable."""
        await self.update(self.leases.offer)
        self.was_offered = True

    async def accept(self) -> bool:
        """Lets no further run ask for the lease; False if there is none left that has. Raises
        LeaseLost, Problem storage_unavailable."""
        await self.update(self.leases.accept)
        self.is_accepted = bool(self.lease.heir)
        return self.is_accepted

    async def wait_for_heir(self, poll: timedelta) -> None:
        """Returns once a run has asked for the offered lease."""
        while True:
            with contextlib.suppress(Problem):
                present = await self.run_blocking(partial(self.leases.latest, self.lease.call_id))
                if present is not None and present.holder == self.lease.holder and present.heir:
                    return
            await asyncio.sleep(poll.total_seconds())

    async def hand_over(self, handled: str) -> None:
        """Gives the lease to the run that has asked for it, or back if none has. Raises Problem."""
        async with self.lock:
            if await self.run_blocking(partial(self.leases.hand_over, self.lease, handled)):
                return
        await self.release()

    @property
    def is_good(self) -> bool:
        """Whether it has not run out. Once it has, another run may act on the call."""
        return self.clock() < self.lease.until

    @property
    def previous_renewal(self) -> datetime | None:
        """When a previous holder that never released the lease was last known to be alive."""
        before = self.lease.held_before
        return before - self.leases.lasts if before else None

    async def renew(self, note: str | None = None) -> None:
        """Holds the lease for its full length from now. Raises LeaseLost, Problem
        storage_unavailable."""
        await self.update(partial(self.leases.renew, note=note))

    async def update(self, change: Callable[[Lease], Lease]) -> None:
        """Holds the lease as `change` gives it."""

        async def update_in_turn() -> None:
            async with self.lock:
                self.lease = await self.run_blocking(lambda: change(self.lease))

        # Cancelling does not stop the thread that writes. Without the version that it writes the
        # lease could not be given back.
        self.renewal = asyncio.ensure_future(update_in_turn())
        self.renewal.add_done_callback(mark_retrieved)
        await asyncio.shield(self.renewal)

    async def release(self) -> None:
        """Gives it back. Raises Problem storage_unavailable."""
        async with self.lock:
            await self.run_blocking(partial(self.leases.release, self.lease))

    async def renew_periodically(
        self, before_renewal: Callable[[], Awaitable[None]], retry_pause: timedelta
    ) -> None:
        """Renews after each third of the lease until cancelled; awaits `before_renewal` first.

        Raises LeaseLost. While storage is unavailable it retries after `retry_pause`; the lease may
        run out meanwhile, and is still ours if nobody has taken it.
        """
        every = (self.leases.lasts / 3).total_seconds()
        pause = every
        while True:
            await asyncio.sleep(pause)
            try:
                await before_renewal()
                await self.renew()
                pause = every
            except (StorageUnavailable, Problem) as error:
                logs.event("lease not renewed", logging.WARNING, reason=str(error))
                pause = min(every, retry_pause.total_seconds())

    async def run_blocking(self, work: Callable[[], T]) -> T:
        return await run_blocking(self.executor, work)
