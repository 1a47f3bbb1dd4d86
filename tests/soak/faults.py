"""What fails in a soak, and when: faults one after another, spread evenly over its time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.soak.environment import Environment
from tests.soak.journal import Journal
from tests.soak.relay import Relay

CONNECT_SECONDS = 30
OUTAGE = 3.0
LONG_OUTAGE = 45.0
"""Longer than all tries of a message take (host.json)."""
VAULT_OUTAGE = 9.0
"""Longer than the vault's values are cached."""
SHORTEST_RUN_WITH_LONG_OUTAGE = 240.0
DOWN = 2.0
FAULTS: Mapping[str, list[dict[str, Any]]] = {
    "client_secrets": [
        {"status": 429, "retry_after": 0.2, "every": 3},
        {"reset": True, "every": 5},
    ],
    "calls": [
        {"status": 429, "retry_after": 1, "every": 11},
        {"status": 500, "every": 13},
        {"status": 401, "every": 17},
        {"reset": True, "every": 19},
        {"delay_seconds": 17, "every": 43},
    ],
    "hangup": [{"status": 500, "every": 5}, {"reset": True, "every": 7}],
    "sideband": [{"status": 500, "every": 7}, {"drop_after_seconds": 1, "every": 5}],
}
NO_FAULTS: Mapping[str, list[Any]] = {route: [] for route in FAULTS}


@dataclass
class FaultSchedule:
    """Injects faults into the environment, and journals when."""

    environment: Environment
    journal: Journal
    log_event: Callable[[str], None]

    async def run(self, seconds: float) -> None:
        """All faults, within so many seconds."""
        await self.environment.change_script(faults=FAULTS, connect_seconds=CONNECT_SECONDS)
        upstream = self.journal.add_outage("upstream", time.monotonic())
        self.log_event("upstream refuses, resets and stalls from now on")
        faults = [
            (OUTAGE, self.cut_all_storage),
            (DOWN, lambda: self.kill_host(0)),
            (VAULT_OUTAGE, self.cut_vault),
            (OUTAGE, self.cut_some_storage),
            (DOWN, lambda: self.kill_host(1)),
            (VAULT_OUTAGE, self.stall_vault),
        ]
        if seconds >= SHORTEST_RUN_WITH_LONG_OUTAGE:
            faults.append((LONG_OUTAGE, self.cut_all_storage_for_long))
        end = time.monotonic() + seconds
        pending = faults * max(1, round(seconds / 120))
        while pending:
            # The pauses share what the pending faults leave of the time.
            pauses = end - time.monotonic() - sum(duration for duration, _ in pending)
            await asyncio.sleep(max(0.5, pauses / len(pending)))
            await pending.pop(0)[1]()
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        await self.environment.change_script(faults=NO_FAULTS)
        upstream.until = time.monotonic()
        self.log_event("all faults cleared; waiting for the last calls to end")

    async def cut_all_storage(self) -> None:
        await self.cut("storage", self.environment.storage_relays, OUTAGE)

    async def cut_some_storage(self) -> None:
        blob, queue, table = self.environment.storage_relays
        name, relay = random.choice([("blobs", blob), ("queues", queue), ("tables", table)])
        await self.cut("storage", [relay], OUTAGE, f"storage ({name})")

    async def cut_all_storage_for_long(self) -> None:
        await self.cut("storage", self.environment.storage_relays, LONG_OUTAGE)

    async def cut_vault(self) -> None:
        await self.cut("vault", [self.environment.vault_relay], VAULT_OUTAGE)

    async def stall_vault(self) -> None:
        outage = self.journal.add_outage("vault", time.monotonic())
        self.environment.vault_relay.stall()
        self.log_event(f"vault stalls for {VAULT_OUTAGE:g} s")
        await asyncio.sleep(VAULT_OUTAGE)
        self.environment.vault_relay.restore()
        outage.until = time.monotonic()

    async def cut(
        self, what: str, relays: Iterable[Relay], seconds: float, description: str = ""
    ) -> None:
        outage = self.journal.add_outage(what, time.monotonic())
        for relay in relays:
            relay.cut()
        self.log_event(f"{description or what} unavailable for {seconds:g} s")
        await asyncio.sleep(seconds)
        for relay in relays:
            relay.restore()
        outage.until = time.monotonic()

    async def kill_host(self, index: int) -> None:
        host = self.environment.hosts[index]
        await host.kill()
        self.log_event(f"host {host.number} killed")
        await asyncio.sleep(DOWN)
        await host.start()
        self.log_event(f"host {host.number} started again")
