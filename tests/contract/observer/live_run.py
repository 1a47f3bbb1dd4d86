"""A run that follows a Live session in memory.

async with following() as run:
    run.service.say("input", "Hello", " there.")
    run.service.close("close_requested")
    result = await run.watching.done()
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.config.voice_api import LIVE
from shared.observer.context import Tally
from shared.observer.timing import Timing
from shared.transcripts.transcript import Entry
from tests.contract.observer.harness import QUICK, ObservedCalls, Watching, observed_calls
from tests.contract.observer.live_service import CALL, LiveService
from tests.support.patience import PATIENCE


@dataclass
class Following:
    """A run, and the session that it follows."""

    it: ObservedCalls
    service: LiveService
    watching: Watching
    tallies: list[Tally] = field(default_factory=list)

    def lines(self, *kinds: str) -> list[Any]:
        return [line for line in self.it.lines(CALL) if line.kind in kinds]

    def entries(self, kind: str) -> list[Entry]:
        return [each for each in self.it.transcript(CALL).entries if each.kind == kind]

    def said(self) -> list[tuple[str | None, str | None]]:
        """Who said what."""
        return [(each.role, each.text) for each in self.entries("message")]

    async def written(self, kind: str, **fields: Any) -> Any:
        """Waits for such a line."""
        wanted = fields.items()
        return await self.it.written(
            CALL, lambda line: line.kind == kind and wanted <= dict(line.fields).items()
        )

    async def handled(self) -> None:
        """Waits until all events are handled."""
        mark = f"mark_{next(self.service.ids)}"
        self.service.tell("error", error={"type": "mark", "code": mark, "message": ""})
        await self.written("error", code=mark)

    async def connected_again(self) -> None:
        """Waits for the next connection, and until all events are handled."""
        async with asyncio.timeout(PATIENCE):
            await self.service.connected.get()
        await self.handled()

    async def sent(self, kind: str) -> dict[str, Any]:
        """The next event of that type that the run sends."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self.service.sent.get())["type"] != kind:
                pass
        return event

    async def take_over(self, **terms: Any) -> Following:
        """Kills the run; another one follows the session once the lease is over."""
        await self.it.kill(self.watching)
        self.service.lose()
        self.it.skip += timedelta(seconds=31)
        return await begin(self.it, self.service, **terms)


async def begin(
    it: ObservedCalls,
    service: LiveService,
    timing: Timing = QUICK,
    parts: dict[str, Any] | None = None,
    *,
    waits: bool = True,
    started_at: datetime | None = None,
    **terms: Any,
) -> Following:
    tallies: list[Tally] = []

    async def spend(tally: Tally) -> bool:
        tallies.append(tally)
        return False

    given = {"connect": service.connect, "hang_up": service.hang_up, "spend": spend}
    started = started_at or it.clock()
    about = {"api": LIVE, "started_at": started, "record_id": "record"}
    watching = it.begin(CALL, timing, parts={**given, **(parts or {})}, **{**about, **terms})
    if waits:
        await it.attached(CALL, watching.holder)
    return Following(it, service, watching, tallies)


@asynccontextmanager
async def following(*args: Any, **terms: Any) -> AsyncIterator[Following]:
    """A run over a session of its own."""
    async with observed_calls() as it:
        yield await begin(it, LiveService(), *args, **terms)
