"""What goes wrong in a soak, and when: scenes one after another, evenly spread over its time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.soak.account import Account
from tests.soak.relay import Relay
from tests.soak.stage import Stage

CONNECT_SECONDS = 30
OUTAGE = 3.0
LONG_OUTAGE = 45.0
"""Longer than all tries of a message take (host.json)."""
VAULT_OUTAGE = 9.0
"""Longer than the vault's values are kept without reading them again."""
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
HEALED: Mapping[str, list[Any]] = {route: [] for route in FAULTS}


@dataclass
class Troubles:
    """Makes trouble on the stage, and books when."""

    stage: Stage
    account: Account
    happened: Callable[[str], None]

    async def make(self, seconds: float) -> None:
        """All of it, in so many seconds."""
        await self.stage.script(faults=FAULTS, connect_seconds=CONNECT_SECONDS)
        upstream = self.account.trouble("upstream", time.monotonic())
        self.happened("upstream refuses, resets and stalls from now on")
        scenes = [
            (OUTAGE, self.all_storage),
            (DOWN, lambda: self.kill(0)),
            (VAULT_OUTAGE, self.vault_cut),
            (OUTAGE, self.some_storage),
            (DOWN, lambda: self.kill(1)),
            (VAULT_OUTAGE, self.vault_stalls),
        ]
        if seconds >= SHORTEST_RUN_WITH_LONG_OUTAGE:
            scenes.append((LONG_OUTAGE, self.long_outage))
        ends = time.monotonic() + seconds
        left = scenes * max(1, round(seconds / 120))
        while left:
            # What is left of the time is shared by the scenes that are left.
            rest = ends - time.monotonic() - sum(lasts for lasts, _ in left)
            await asyncio.sleep(max(0.5, rest / len(left)))
            await left.pop(0)[1]()
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
        await self.stage.script(faults=HEALED)
        upstream.until = time.monotonic()
        self.happened("all healed; waiting for the last calls to end")

    async def all_storage(self) -> None:
        await self.cut("storage", self.stage.storage_ways, OUTAGE)

    async def some_storage(self) -> None:
        blob, queue, table = self.stage.storage_ways
        name, way = random.choice([("blobs", blob), ("queues", queue), ("tables", table)])
        await self.cut("storage", [way], OUTAGE, f"storage's {name}")

    async def long_outage(self) -> None:
        await self.cut("storage", self.stage.storage_ways, LONG_OUTAGE)

    async def vault_cut(self) -> None:
        await self.cut("vault", [self.stage.vault_way], VAULT_OUTAGE)

    async def vault_stalls(self) -> None:
        trouble = self.account.trouble("vault", time.monotonic())
        self.stage.vault_way.stall()
        self.happened(f"vault stalls for {VAULT_OUTAGE:g} s")
        await asyncio.sleep(VAULT_OUTAGE)
        self.stage.vault_way.restore()
        trouble.until = time.monotonic()

    async def cut(self, what: str, ways: Iterable[Relay], seconds: float, words: str = "") -> None:
        trouble = self.account.trouble(what, time.monotonic())
        for way in ways:
            way.cut()
        self.happened(f"{words or what} away for {seconds:g} s")
        await asyncio.sleep(seconds)
        for way in ways:
            way.restore()
        trouble.until = time.monotonic()

    async def kill(self, index: int) -> None:
        host = self.stage.hosts[index]
        await host.kill()
        self.happened(f"host {host.number} killed")
        await asyncio.sleep(DOWN)
        await host.start()
        self.happened(f"host {host.number} started again")
