"""The broker as programs: hosts on one Azurite, the emulator, callers over real WebRTC."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from realtime_emulator.caller import Caller
from shared.calls.end_events import CALL_ENDED_QUEUE
from shared.storage.azure import open_storage
from tests.support.azurite import shared_azurite
from tests.support.call_location import call_url
from tests.support.emulated import Emulator
from tests.support.function_hosts import Hosts, hosts
from tests.support.patience import PATIENCE, looking
from tests.support.principals import signed_in
from tests.support.programs import program

ADMIN = signed_in("the-admin", "admin")


@dataclass
class RunningBroker:
    """The broker's hosts and the emulator that they use."""

    hosts: Hosts
    emulator: str
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.hosts.programs[0].url

    async def call(self, user: str, profile: str = "", host: int = 0) -> tuple[Caller, str]:
        """Starts a call; returns the caller and the call's URL at the broker."""
        caller = Caller()
        broker = self.hosts.programs[host].url
        headers = {**signed_in(user), "Content-Type": "application/sdp"}
        query = {"profile": profile} if profile else {}
        async with self.session.post(
            f"{broker}/api/connect", data=await caller.offer(), headers=headers, params=query
        ) as answer:
            assert answer.status == 201, await answer.text()
            await caller.accept(await answer.text())
            return caller, call_url(answer)

    async def get(self, path: str, host: int = 0, **query: str) -> Any:
        """The JSON that an admin gets."""
        url = self.hosts.programs[host].url + path
        async with self.session.get(url, headers=ADMIN, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def state(self) -> Any:
        """The emulator's view of its calls."""
        async with self.session.get(f"{self.emulator}/emulator") as answer:
            return await answer.json()

    async def configure_emulator(self, **changes: Any) -> None:
        async with self.session.patch(f"{self.emulator}/emulator", json=changes) as answer:
            assert answer.status == 200, await answer.text()

    async def records(self, host: int = 0) -> dict[str, Any]:
        """The newest calls by their records' ids, newest first."""
        return {one["id"]: one for one in (await self.get("/api/calls", host))["calls"]}

    async def end_message(self, name: str) -> dict[str, Any]:
        """The message about that call's end, where `CALL_ENDED_EVENTS` is on."""
        queue = open_storage(shared_azurite().connection).queue(CALL_ENDED_QUEUE)
        soon = timedelta(seconds=1)

        async def received() -> dict[str, Any]:
            found = await asyncio.to_thread(queue.receive, visibility=soon, limit=32)
            contents = [json.loads(each.body) for each in found]
            return next((each for each in contents if each["call"] == name), {})

        message: dict[str, Any] = await poll_until(received, bool)
        return message

    async def transcript(self, name: str, host: int = 0) -> Any:
        return await self.get(f"/api/calls/{name}/transcript", host)


async def poll_until(ask: Any, holds: Any, within: float = PATIENCE) -> Any:
    """Polls until the answer holds, for what nothing announces, such as a record in storage."""
    async with asyncio.timeout(within):
        async for _ in looking(within):
            if holds(found := await ask()):
                return found
    raise TimeoutError


@asynccontextmanager
async def running_broker(
    number: int = 1, settings: Mapping[str, str] | None = None, emulator: str = ""
) -> AsyncIterator[RunningBroker]:
    """Runs `number` hosts that observe calls and keep transcripts; leaves no live call behind.

    `emulator` is one that runs already: it is as if it had just been started.
    """
    async with AsyncExitStack() as stack:
        if not emulator:
            started = program("realtime_emulator", "--port", "0")
            emulator = (await stack.enter_async_context(started)).url
        chosen = {
            "REALTIME_TRANSCRIPTION_MODEL": "gpt-realtime-whisper",
            "AzureWebJobsStorage": shared_azurite().connection,
            "OBSERVER": "eager",
            "TRANSCRIPTS": "on",
            **(settings or {}),
        }
        running = await stack.enter_async_context(hosts(number, emulator, chosen))
        at_work = RunningBroker(running, emulator, running.session)
        await Emulator(running.session, emulator).reset()
        yield at_work
        await poll_until(at_work.state, lambda state: state["live_calls"] == 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator() -> AsyncIterator[str]:
    """One for all tests of a module, which run in its loop: each takes a second to load its speech
    and media."""
    async with program("realtime_emulator", "--port", "0") as running:
        yield running.url


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
