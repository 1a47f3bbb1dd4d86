"""Follows the emulator's list of calls, which remembers only the last fifty that ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tests.soak.agreement import Upstream
from tests.soak.stage import Stage

EVERY = 0.7


@dataclass
class Watch:
    """All calls that the emulator ever had, as it last told of them."""

    stage: Stage
    epoch: float = field(default_factory=lambda: time.time() - time.monotonic())
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: int = 0
    live: int = 0
    most_live: int = 0
    last_live: dict[str, float] = field(default_factory=dict)

    async def look(self) -> None:
        """Takes in what is to be seen now."""
        now = time.monotonic()
        state = await self.stage.state()
        self.started, self.live = state["started_calls"], state["live_calls"]
        self.most_live = max(self.most_live, self.live)
        for call in state["calls"]:
            self.calls[call["id"]] = call
            if call["live"]:
                self.last_live[call["id"]] = now

    async def keep(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    def upstream(self) -> list[Upstream]:
        return [
            Upstream(
                call["id"],
                call["sess_id"],
                call["ended"] or "",
                began := call["started_at"] - self.epoch,
                self.last_live.get(call["id"], began),
            )
            for call in self.calls.values()
        ]

    def missed(self) -> list[str]:
        """Whether calls came and went unseen, so that nothing can be said of them."""
        unseen = self.started - len(self.calls)
        return [f"{unseen} calls of the emulator were not seen"] if unseen else []
