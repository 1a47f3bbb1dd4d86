"""Probes whether storage answers, from outside the broker, through the same relays as the hosts.

Azurite stops for seconds about once a minute, and shares this machine with everything else: while
it does not answer, the broker is right to report that storage is unavailable, so that is an outage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from shared.limits.transactions import PARTITION
from shared.storage.interfaces import Storage, StorageUnavailable
from tests.soak.journal import Journal

INTERVAL = 0.5
SLOW = 1.5
"""Half of the broker's timeout (shared/storage/azure_retry.py): this is one request, and a start
has several."""
NAME = "probe"


@dataclass
class StorageProbe:
    """Makes a small request of each kind of storage, again and again, over a connection of its
    own."""

    storage: Storage
    journal: Journal
    log_event: Callable[[str], None]

    async def run(self) -> None:
        """Until cancelled."""
        probes = (self.ask_table, self.ask_queue, self.ask_log)
        while True:
            start = time.monotonic()
            times = await asyncio.gather(*(asyncio.to_thread(self.measure, ask) for ask in probes))
            if max(times) > SLOW:
                self.journal.add_outage("storage", start).until = start + max(times)
                self.log_event(f"storage did not answer for {max(times):.1f} s")
            await asyncio.sleep(INTERVAL)

    def measure(self, ask: Callable[[], object]) -> float:
        """How long the answer took, in seconds."""
        start = time.monotonic()
        # Cut off on purpose it fails at once; otherwise the time it took is all that matters.
        with suppress(StorageUnavailable):
            ask()
        return time.monotonic() - start

    def ask_table(self) -> object:
        return self.storage.table("ledger").get(PARTITION, NAME)

    def ask_queue(self) -> object:
        return self.storage.queue(NAME).receive(visibility=timedelta(seconds=1))

    def ask_log(self) -> object:
        return self.storage.log("transcripts").length(NAME)
