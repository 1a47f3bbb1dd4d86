"""Many calls that end at once: all are dialled again, and no record states a gap that is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.observer.context import Dependencies, ObservedCall, ObserverResult
from shared.observer.follower import PROMPT_404
from shared.observer.leases import Leases
from shared.observer.observer import observe
from shared.storage.memory import MemoryLog, MemoryTable
from shared.transcripts import transcript
from shared.transcripts.writer import log_name
from tests.contract.observer.harness import QUICK
from tests.support.patience import PATIENCE
from tests.support.sideband_stand_in import KEPT, SidebandStandIn, sideband_stand_in

CALLS = [f"rtc_{number}" for number in range(150)]
HANDSHAKE = PROMPT_404 / 100
"""What a handshake takes of both sides' time: those of all calls, one and a half of what they may
take."""


class ManyObservers:
    """Observers of calls at a stand-in, by a clock that goes by what is done."""

    def __init__(self, endpoint: SidebandStandIn) -> None:
        self.endpoint = endpoint
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.log = MemoryLog()
        self.runs: list[asyncio.Task[ObserverResult]] = []

    def pass_time(self, passed: timedelta) -> None:
        self.now += passed

    def calls_with_outages(self) -> set[str]:
        """Those whose records state a gap for the time that their connections were lost."""
        return {call for call in CALLS if "reconnected" in self.gaps(call)}

    def gaps(self, call: str) -> list[str | None]:
        """The reasons of the gaps that its record states."""
        entries = transcript.read_transcript(self.log.read(log_name(call))).entries
        return [entry.reason for entry in entries if entry.kind == "gap"]

    async def done(self) -> set[str]:
        """Why all runs have ended."""
        async with asyncio.timeout(PATIENCE):
            return {result.reason for result in await asyncio.gather(*self.runs)}


@asynccontextmanager
async def observed(folder: Path, calls: Sequence[str]) -> AsyncIterator[ManyObservers]:
    async with sideband_stand_in(folder) as (endpoint, connector):
        it = ManyObservers(endpoint)
        leases = Leases(MemoryTable(), timedelta(hours=1), clock=lambda: it.now)
        given = Dependencies(connector, leases, it.log, clock=lambda: it.now)
        for call in calls:
            run = observe(ObservedCall(call, keep_words=True), given, f"run of {call}", QUICK)
            it.runs.append(asyncio.create_task(run))
        await endpoint.served(len(calls))
        yield it


async def test_calls_that_end_at_once_leave_no_gaps_though_handshakes_take_long(
    tmp_path: Path,
) -> None:
    async with observed(tmp_path, CALLS) as it:
        it.endpoint.on_connection = lambda: it.pass_time(HANDSHAKE)
        it.endpoint.end(*CALLS)
        assert await it.done() == {"closed"}
        assert not it.calls_with_outages()


async def test_calls_that_may_have_gone_on_unseen_leave_gaps(tmp_path: Path) -> None:
    def refuse_late(_: int) -> bytes:
        it.pass_time(PROMPT_404 + HANDSHAKE)
        return KEPT

    async with observed(tmp_path, CALLS[:5]) as it:
        it.endpoint.refusal = refuse_late
        it.endpoint.end(*CALLS[:5])
        assert await it.done() == {"closed"}
        assert it.calls_with_outages() == set(CALLS[:5]), it.gaps(CALLS[0])
