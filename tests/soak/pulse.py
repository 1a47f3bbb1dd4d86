"""Feels whether storage answers, from outside of the broker, by the way that the hosts take.

Azurite stops for seconds about once a minute, and shares this machine with all else: while it keeps
its answers back, the broker is right to say that storage is away, and that goes into the account.
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
from tests.soak.account import Account

EVERY = 0.5
SLOW = 1.5
"""Half of what the broker waits for (shared/storage/azure_retry.py): this is one request, and a
start has several."""
NAME = "pulse"


@dataclass
class Pulse:
    """Asks a storage of its own for something small of each kind, again and again."""

    storage: Storage
    account: Account
    happened: Callable[[str], None]

    async def keep(self) -> None:
        """Until cancelled."""
        questions = (self.ask_table, self.ask_queue, self.ask_log)
        while True:
            began = time.monotonic()
            times = await asyncio.gather(*(asyncio.to_thread(self.feel, ask) for ask in questions))
            if max(times) > SLOW:
                self.account.trouble("storage", began).until = began + max(times)
                self.happened(f"storage kept its answers back for {max(times):.1f} s")
            await asyncio.sleep(EVERY)

    def feel(self, ask: Callable[[], object]) -> float:
        """How long the answer took, in seconds."""
        began = time.monotonic()
        # Cut off on purpose it fails at once; else how long it took says enough.
        with suppress(StorageUnavailable):
            ask()
        return time.monotonic() - began

    def ask_table(self) -> object:
        return self.storage.table("ledger").get(PARTITION, NAME)

    def ask_queue(self) -> object:
        return self.storage.queue(NAME).receive(visibility=timedelta(seconds=1))

    def ask_log(self) -> object:
        return self.storage.log("transcripts").length(NAME)
