"""A Live call through the whole broker, against the emulator: from its offer to its record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.auth.caller import Caller
from shared.broker import Broker, open_broker, open_observer_worker
from shared.calls.call_record import CallRecord
from shared.calls.delivery import Delivery
from shared.config.voice_api import LIVE
from shared.core.clock import Clock
from shared.observer.leases import attached_to
from shared.observer.live import client_delegations
from shared.storage import memory
from shared.tools.delegation import DelegatedTask
from shared.tools.registry import Registry
from shared.transcripts import transcript
from shared.transcripts.writer import log_name
from tests.contract.emulator.live_harness import QUICK, steer
from tests.support.emulator_server import Server, serving
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE

CALLER = Caller("caller", frozenset(), "anonymous")
SETTINGS = {
    "REALTIME_MODEL": "gpt-realtime",
    "CALLER_AUTH": "anonymous",
    "BROKER_SECRET": "a secret of thirty-two bytes or more",
    "TRANSCRIPTS": "on",
}


@dataclass(eq=False)
class Following:
    """A call that a worker follows."""

    server: Server
    broker: Broker
    name: str
    task: asyncio.Task[None]

    @property
    def record(self) -> CallRecord:
        return self.broker.stores.records.get(self.name)

    def read(self) -> transcript.Transcript:
        data = self.broker.stores.transcripts.read(log_name(self.record.call_id))
        return transcript.read_transcript(data)

    async def until(self, that: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not that():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def hear(self, text: str) -> None:
        await steer(self.server, self.record.call_id, "speech", {"text": text, "at_once": True})


@asynccontextmanager
async def followed(
    monkeypatch: pytest.MonkeyPatch, provider: Any, named: str = "live", **settings: str
) -> AsyncIterator[Following]:
    storage = memory.MemoryStorage()
    monkeypatch.setattr(memory, "process_storage", lambda: storage)
    async with serving(provider, live=QUICK) as server:
        key = "standard" if provider == "openai" else "0123456789abcdef0123456789abcdef"
        about = {"REALTIME_PROVIDER": provider, "REALTIME_ENDPOINT": server.root}
        broker = open_broker({**SETTINGS, **about, "REALTIME_API_KEY": key, **settings})
        profile = broker.profiles.named(named)
        assert profile.api == LIVE
        await asyncio.to_thread(broker.calls.start_call, OFFER, profile, CALLER)
        day = broker.clock().date()
        (record,) = broker.stores.records.of_day(day)
        worker = open_observer_worker(broker)
        task = asyncio.create_task(worker.follow_call(Delivery(record.id)))
        following = Following(server, broker, record.id, task)
        await following.until(lambda: attached_to(broker.stores.leases, record.call_id))
        try:
            yield following
            async with asyncio.timeout(PATIENCE):
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await server.state())["live_sessions"] == 0
        assert (await server.state())["started_sessions"] == 1, "one create a call"


@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_a_call_is_followed_counted_and_settled(
    monkeypatch: pytest.MonkeyPatch, provider: Any
) -> None:
    async with followed(monkeypatch, provider) as it:
        await it.hear("hello there")
        await it.until(lambda: len(it.read().entries) > 1)
        await asyncio.to_thread(it.broker.terminator.end_by_admin, it.name)
        await it.task
        entries = [each for each in it.read().entries if each.kind == "message"]
        assert "hello there" in str(entries[0].text).lower()
        record = it.record
        assert (record.ended_by, record.observed) == ("admin", "yes")
        assert record.settled_by
        assert record.usage["seconds"] == 15
        assert float(record.cost) > 0


def two_functions(clock: Clock) -> Registry:
    registry = Registry()

    @registry.delegation
    async def help_desk(task: DelegatedTask) -> str:
        return "Your parcel is in Lisbon."

    @registry.delegation
    async def travel(task: DelegatedTask) -> str:
        return "Your train is late."

    return registry


@pytest.mark.parametrize(
    ("named", "told"),
    [("help", "Your parcel is in Lisbon."), ("trips", "Your train is late.")],
)
async def test_each_profile_has_its_work_done_by_the_function_that_it_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, told: str
) -> None:
    monkeypatch.setattr("shared.broker.sample_tools", two_functions)
    monkeypatch.setattr(client_delegations, "LATE_WORDS", timedelta(milliseconds=50))
    for profile, function in (("default", "help_desk"), ("help", "help_desk"), ("trips", "travel")):
        content = {"api": "live", "session": {}, "delegation_function": function}
        (tmp_path / f"{profile}.json").write_text(json.dumps(content))
    async with followed(monkeypatch, "openai", named, REALTIME_PROFILES=str(tmp_path)) as it:
        await it.hear("please look up the weather for me")
        await it.until(lambda: any(each.kind == "commentary" for each in it.read().entries))
        await asyncio.to_thread(it.broker.terminator.end_by_admin, it.name)
        await it.task
        said = [each.text for each in it.read().entries if each.kind == "commentary"]
        assert said == [told]
