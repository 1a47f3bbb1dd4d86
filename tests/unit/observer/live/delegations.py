"""Functions that delegated work calls, for tests of a Live run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from shared.tools.registry import Registry
from tests.unit.observer.live.harness import LiveRun

QUICK = timedelta(milliseconds=10)
LATER = 5 * QUICK


class Tools:
    """A registry whose function waits until it is told to go on."""

    def __init__(self, answer: Any = "on its way") -> None:
        self.registry = Registry()
        self.calls: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

        @self.registry.tool(timeout=timedelta(seconds=20))
        async def order_status(number: str = "") -> Any:
            """Says where an order is."""
            self.calls.append(number)
            await self.go.wait()
            return answer


def outputs(run: LiveRun) -> list[tuple[str, str]]:
    """The function outputs that were sent."""
    items = [each["item"] for each in run.connection.all if each["type"] == "response.item.create"]
    return [(item["call_id"], item["output"]) for item in items]
