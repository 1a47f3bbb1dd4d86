"""The lease of one run, and a run that is cancelled while it renews it."""

from __future__ import annotations

import asyncio
import gc
import threading
from datetime import timedelta
from typing import Any

from shared.core.clock import utc_now
from shared.core.problems import Problem
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.leases import Lease, Leases
from shared.storage.memory import MemoryTable
from tests.support.patience import PATIENCE


class SlowLeases(Leases):
    """Leases whose renewal is `written`, and returns once it `may_return`."""

    def __init__(self) -> None:
        super().__init__(MemoryTable(), timedelta(seconds=30))
        self.written = threading.Event()
        self.may_return = threading.Event()
        self.fails = False

    def renew(self, lease: Lease, *, note: str | None = None) -> Lease:
        renewed = super().renew(lease, note=note)
        self.written.set()
        assert self.may_return.wait(PATIENCE)
        if self.fails:
            raise Problem("storage_unavailable")
        return renewed


async def test_a_lease_is_given_back_after_a_cancelled_renewal() -> None:
    leases = SlowLeases()
    keeper = await LeaseKeeper.acquire(leases, "rtc_1", "run", utc_now, None)
    assert keeper is not None
    renewing = asyncio.create_task(keeper.renew())
    assert await asyncio.to_thread(leases.written.wait, PATIENCE)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    releasing = asyncio.create_task(keeper.release())
    leases.may_return.set()
    await releasing
    assert leases.holder("rtc_1") is None


async def test_a_cancelled_renewal_that_fails_later_is_no_lost_error() -> None:
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    leases = SlowLeases()
    leases.fails = True
    keeper = await LeaseKeeper.acquire(leases, "rtc_1", "run", utc_now, None)
    assert keeper is not None
    renewing = asyncio.create_task(keeper.renew())
    assert await asyncio.to_thread(leases.written.wait, PATIENCE)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    leases.may_return.set()
    assert keeper.renewal is not None
    await asyncio.wait([keeper.renewal])
    keeper.renewal = None
    gc.collect()
    assert lost == []
