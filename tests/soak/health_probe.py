"""Asks every host for its health, again and again: whatever pages and upstream do, it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.soak.callers import SimulatedCallers
from tests.soak.hosts import Host
from tests.soak.journal import SentRequest

INTERVAL = 1.0
SLOW = 10.0
"""Seconds. This machine is busy; what blocks a host's event loop takes longer."""


@dataclass
class HealthProbe:
    """Asks until it is told to stop: a request that is cut off would look like one that no host
    answers."""

    callers: SimulatedCallers
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        await asyncio.gather(*(self.ask(host) for host in self.callers.hosts))

    async def ask(self, host: Host) -> None:
        while not self.stopped.is_set():
            await self.callers.send_request("health", "GET", "/api/health", {}, host=host)
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self.stopped.wait()


def longest_health(requests: Iterable[SentRequest]) -> float:
    """How long a host took to say how it is, at most, in seconds."""
    times = (one.ended - one.began for one in requests if one.kind == "health" and one.status)
    return max(times, default=0.0)


def slow_health(requests: Iterable[SentRequest]) -> list[str]:
    """Complains of a host that took too long."""
    longest = longest_health(requests)
    return [f"a host took {longest:.0f} s to say how it is"] if longest > SLOW else []
