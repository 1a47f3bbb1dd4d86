"""A run that follows a sideband of the test's own.

async with scripted() as run:
    run.fail("resp_1")
    await run.sent("response.create")
    failures = await run.done()
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.observer.context import Tally
from shared.sideband.sideband import NoSuchCall
from shared.tools.registry import Registry
from shared.transcripts.transcript import Entry
from tests.contract.observer.harness import ObservedCalls, Watching, observed_calls
from tests.contract.observer.scripted_sideband import ScriptedSideband
from tests.support.patience import PATIENCE

CALL: Final = "rtc_scripted"
RATE_LIMIT: Final = {"type": "server_error", "code": "inference_rate_limit_exceeded"}
QUIET: Final = timedelta(milliseconds=20)
"""The pause before a response is asked for again, in tests."""


@dataclass
class Scripted:
    """A run that follows a sideband of the test's own."""

    it: ObservedCalls
    sideband: ScriptedSideband
    watching: Watching
    tallies: list[Tally]
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a tally has been told."""
    marks: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    def tell(self, kind: str, **fields: Any) -> None:
        self.sideband.events.put_nowait({"type": kind, "event_id": "e", **fields})

    def begin(self, name: str, **fields: Any) -> None:
        self.tell("response.created", response={"id": name, "conversation_id": "conv_1", **fields})

    def end(self, name: str, **fields: Any) -> None:
        self.tell("response.done", response={"id": name, "conversation_id": "conv_1", **fields})

    def fail(self, name: str, error: Any = None, **fields: Any) -> None:
        self.begin(name)
        self.end_failed(name, error, **fields)

    def end_failed(self, name: str, error: Any = None, **fields: Any) -> None:
        details = {"type": "failed", "error": error or RATE_LIMIT}
        self.end(name, status="failed", status_details=details, **fields)

    async def sent(self, kind: str) -> dict[str, Any]:
        """The next event of that type that the run sends."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self.sideband.sent.get())["type"] != kind:
                pass
        return event

    async def has_sent_none(self, kind: str) -> None:
        """Waits as long as a retry takes, several times, and sees none."""
        await asyncio.sleep(6 * QUIET.total_seconds())
        while not self.sideband.sent.empty():
            assert self.sideband.sent.get_nowait()["type"] != kind

    async def handled(self) -> None:
        """Waits until all events are handled."""
        mark = f"mark_{next(self.marks)}"
        self.sideband.events.put_nowait({"type": "error", "event_id": mark, "error": {}})
        await self.it.written(CALL, lambda line: line.kind == "error" and line.key == mark)

    async def accounted(self) -> None:
        """Waits until what has been handled is accounted for."""
        async with asyncio.timeout(PATIENCE):
            await self.handled()
            await self.told.wait()

    async def done(self) -> list[Entry]:
        """Ends the run; the failures in its transcript."""
        await self.handled()
        self.sideband.events.put_nowait(None)
        await self.watching.done()
        return [each for each in self.it.transcript(CALL).entries if each.kind == "failure"]


@asynccontextmanager
async def scripted(
    there: ObservedCalls | None = None, registry: Registry | None = None, **terms: Any
) -> AsyncIterator[Scripted]:
    """A run; in the store of another one's, where it takes its call over."""
    async with AsyncExitStack() as stack:
        if there is None:
            there = await stack.enter_async_context(observed_calls())
        it = there
        sideband, tallies = ScriptedSideband(), list[Tally]()
        dialled: list[Any] = [sideband]

        async def connect(_: str) -> Any:
            if not dialled:
                raise NoSuchCall
            return dialled.pop()

        told = asyncio.Event()

        async def spend(tally: Tally) -> bool:
            tallies.append(tally)
            told.set()
            return False

        parts = {"connect": connect, "spend": spend, "registry": registry or Registry()}
        watching = it.begin(CALL, parts=parts, **terms)
        await it.attached(CALL, watching.holder)
        yield Scripted(it, sideband, watching, tallies, told)
