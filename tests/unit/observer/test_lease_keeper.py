"""The lease of one run, and a run that is cancelled while it renews it."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

from shared.core.clock import utc_now
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

    def renew(self, lease: Lease, *, note: str | None = None) -> Lease:
        renewed = super().renew(lease, note=note)
        self.written.set()
        assert self.may_return.wait(PATIENCE)
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
