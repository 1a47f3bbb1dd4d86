"""What fails in a soak, and when: faults one after another, spread evenly over its time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.soak.environment import Environment
from tests.soak.journal import Journal
from tests.soak.relay import Relay

CONNECT_SECONDS = 30
DRIP = 0.25
"""Between two bytes: no response is complete before the broker's deadlines."""
FORGOTTEN_AFTER = 4.0
FLAPPING = 9.0
MOST_DIALS = 3.0
"""A second and live call, at most, while sidebands do not hold."""
OUTAGE = 3.0
LONG_OUTAGE = 45.0
"""Longer than all tries of a message take (host.json)."""
VAULT_OUTAGE = 9.0
"""Longer than the vault's values are cached."""
SHORTEST_RUN, SHORTEST_RUN_WITH_LONG_OUTAGE = 60.0, 240.0
DOWN = 2.0
ROUND = 150.0
"""About how many seconds all faults take once, with pauses."""
FAULTS: Mapping[str, list[dict[str, Any]]] = {
    "client_secrets": [
        {"status": 429, "retry_after": 0.2, "every": 3},
        {"reset": True, "every": 5},
        {"drip_seconds": DRIP, "every": 7},
        {"forget_after_seconds": FORGOTTEN_AFTER, "every": 4},
    ],
    "calls": [
        {"status": 429, "retry_after": 1, "every": 11},
        {"status": 500, "every": 13},
        {"status": 401, "every": 17},
        {"reset": True, "every": 19},
        {"delay_seconds": 17, "every": 43},
        {"drip_seconds": DRIP, "every": 61},
        {"drip_seconds": DRIP, "drip": "body", "every": 67},
        {"reply": {"body": "no SDP"}, "every": 71},
        {"forget_after_seconds": FORGOTTEN_AFTER, "every": 3},
    ],
    "hangup": [
        {"status": 500, "every": 5},
        {"reset": True, "every": 7},
        {"drip_seconds": DRIP, "every": 31},
        {"forget_after_seconds": FORGOTTEN_AFTER, "every": 3},
    ],
    "sideband": [
        {"status": 500, "every": 7},
        {"drop_after_seconds": 1, "every": 5},
        {"forget_after_seconds": FORGOTTEN_AFTER, "every": 11},
    ],
}
ODD_404 = {"headers": {"Content-Type": "text/html"}, "body": "<h1>Not found</h1>"}
FLAPS: Sequence[Mapping[str, Any]] = (
    {"drop_after_seconds": 0, "close_code": 1000},
    {"drop_after_events": 1, "close_code": 1013},
    {"drop_after_seconds": 0.2, "reset": True},
    {"drop_after_seconds": 0, "close_code": 1012},
    {"send": ['{"type": "error", "error": "boom"}'], "drop_after_seconds": 0, "close_code": 1001},
    {"status": 404, "reply": ODD_404},
)
"""How every sideband is lost right after it was accepted, or refused, one after another; the calls
go on."""
NO_FAULTS: Mapping[str, list[Any]] = {route: [] for route in FAULTS}


@dataclass
class FaultSchedule:
    """Injects faults into the environment, and journals when."""

    environment: Environment
    journal: Journal
    log_event: Callable[[str], None]
    flaps: int = 0
    dials: list[float] = field(default_factory=list)
    """How often sidebands were dialled while they did not hold, a second and live call."""

    async def run(self, seconds: float) -> None:
        """All faults, within so many seconds."""
        await self.environment.change_script(faults=FAULTS)
        upstream = self.journal.add_outage("upstream", time.monotonic())
        self.log_event("upstream refuses, resets and stalls from now on")
        faults = [
            (OUTAGE, self.cut_all_storage),
            (DOWN, lambda: self.kill_host(0)),
            (FLAPPING, self.flap_sidebands),
            (VAULT_OUTAGE, self.cut_vault),
            (OUTAGE, self.cut_some_storage),
            (DOWN, lambda: self.kill_host(1)),
            (VAULT_OUTAGE, self.stall_vault),
            (OUTAGE, self.forget_connections),
            (FLAPPING, self.flap_sidebands),
        ]
        if seconds >= SHORTEST_RUN_WITH_LONG_OUTAGE:
            faults.append((LONG_OUTAGE, self.cut_all_storage_for_long))
        end = time.monotonic() + seconds
        pending = faults * max(1, round(seconds / ROUND))
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

    async def forget_connections(self) -> None:
        """Storage's and the vault's connections are lost, and nobody is told."""
        outage = self.journal.add_outage("storage", time.monotonic())
        for relay in (*self.environment.storage_relays, self.environment.vault_relay):
            relay.forget()
        self.log_event("connections to storage and vault forgotten")
        await asyncio.sleep(OUTAGE)
        outage.until = time.monotonic()

    async def flap_sidebands(self) -> None:
        """Every sideband is lost as soon as it is accepted, in one of the ways of FLAPS."""
        flap = FLAPS[self.flaps % len(FLAPS)]
        self.flaps += 1
        outage = self.journal.add_outage("sidebands", time.monotonic())
        await self.environment.change_script(faults={**FAULTS, "sideband": [flap]})
        before = await self.environment.emulator_state()
        self.log_event(f"sidebands do not hold for {FLAPPING:g} s: {describe(flap)}")
        await asyncio.sleep(FLAPPING)
        after = await self.environment.emulator_state()
        await self.environment.change_script(faults=FAULTS)
        outage.until = time.monotonic()
        live = max(1.0, (before["live_calls"] + after["live_calls"]) / 2)
        dials = after["requests"].get("sideband", 0) - before["requests"].get("sideband", 0)
        self.dials.append(dials / live / FLAPPING)
        self.log_event(f"{dials} dials, with about {live:g} live calls")

    def complaints(self) -> list[str]:
        """Of sidebands that were dialled without a pause."""
        most = max(self.dials, default=0.0)
        return [f"a live call's sideband was dialled {most:.1f} times a second"] * (
            most > MOST_DIALS
        )

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


def describe(fault: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fault.items() if name not in NOT_SHOWN)


NOT_SHOWN = frozenset({"reply", "send"})
