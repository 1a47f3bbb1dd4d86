"""Feels whether storage answers, from outside of the broker, by the way that the hosts take.

Azurite stops for seconds about once a minute, and shares this machine with all else: while it keeps
its answers back, the broker is right to say that storage is away, and that goes into the account.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from bench.soak.account import Account
from bench.soak.stage import Stage

EVERY = 0.5
SLOW = 1.5
"""Half of what the broker waits for (shared/storage/wire.py): this request is one, a start has
several."""
PATIENCE = aiohttp.ClientTimeout(total=30)


@dataclass
class Pulse:
    """Asks each of storage's three services, again and again."""

    stage: Stage
    account: Account
    happened: Callable[[str], None]

    async def keep(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            took = max(await asyncio.gather(*(map(self.feel, self.ports()))))
            if took > SLOW:
                self.account.trouble("storage", began).until = began + took
                self.happened(f"storage kept its answers back for {took:.1f} s")
            await asyncio.sleep(EVERY)

    def ports(self) -> list[int]:
        return [way.port for way in self.stage.storage_ways]

    async def feel(self, port: int) -> float:
        """How long one service took to say that nobody is signed in, in seconds."""
        began = time.monotonic()
        try:
            url = f"http://127.0.0.1:{port}/"
            async with self.stage.session.get(url, timeout=PATIENCE):
                return time.monotonic() - began
        except (aiohttp.ClientError, TimeoutError, OSError):
            # Cut off on purpose.
            return 0.0
