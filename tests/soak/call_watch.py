"""Follows the emulator's list of calls, which keeps only the last fifty that have ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tests.soak.environment import Environment
from tests.soak.reconciliation import UpstreamCall

INTERVAL = 0.7


@dataclass
class CallWatch:
    """All calls that the emulator ever had, as it last listed them."""

    environment: Environment
    epoch: float = field(default_factory=lambda: time.time() - time.monotonic())
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: int = 0
    live: int = 0
    most_live: int = 0
    last_live: dict[str, float] = field(default_factory=dict)

    async def update(self) -> None:
        """Reads the list once."""
        now = time.monotonic()
        state = await self.environment.emulator_state()
        self.started, self.live = state["started_calls"], state["live_calls"]
        self.most_live = max(self.most_live, self.live)
        for call in state["calls"]:
            self.calls[call["id"]] = call
            if call["live"]:
                self.last_live[call["id"]] = now

    async def run(self) -> None:
        """Reads it again and again, until cancelled."""
        while True:
            await self.update()
            await asyncio.sleep(INTERVAL)

    def upstream_calls(self) -> list[UpstreamCall]:
        return [
            UpstreamCall(
                call["id"],
                call["sess_id"],
                call["ended"] or "",
                began := call["started_at"] - self.epoch,
                self.last_live.get(call["id"], began),
            )
            for call in self.calls.values()
        ]

    def live_calls(self) -> list[str]:
        """The ids of those that were live when it was read last."""
        return [name for name, call in self.calls.items() if call["live"]]

    def missed_calls(self) -> list[str]:
        """Complains of calls that came and went between two updates."""
        missed = self.started - len(self.calls)
        return [f"{missed} calls of the emulator were missed"] if missed else []
