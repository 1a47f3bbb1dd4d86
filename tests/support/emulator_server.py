"""The emulator over HTTP in this process, on fakes of its voice, recogniser and media.

Every event that a fake peer gets must match the `openai` package's types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime_emulator.app import BASE, make_app
from realtime_emulator.call.services import Lazy, Services
from realtime_emulator.call.stand_ins import StandInPeer, StandInRecogniser, StandInVoice
from realtime_emulator.contract import PREFIX
from realtime_emulator.live.live_routes import BASE as LIVE_BASE
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.script.script import Script
from tests.support.live_media import FakeMediaFactory
from tests.support.programs import running

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """The event, after validation against the API's types."""
    SERVER_EVENT.validate_python(event)
    return event


class FakePeer(StandInPeer):
    """Every event must match the API's types. `answered` is set by `response.done`."""

    def __init__(self, offer: str, **callbacks: Any) -> None:
        super().__init__(offer, **callbacks)
        self.answered = asyncio.Event()

    def send_event(self, text: str) -> bool:
        if valid(json.loads(text))["type"] == "response.done":
            self.answered.set()
        return super().send_event(text)


class Fakes:
    """Fake `Services`, and the peers they made."""

    def __init__(
        self, provider: Provider = "azure", heard: tuple[str, ...] = (), **script: Any
    ) -> None:
        self.peers: list[FakePeer] = []
        self.live = FakeMediaFactory()
        self.now = 1_795_000_000.0
        script = {"text_delta_seconds": 0, **script}
        self.services = Services(
            provider,
            Script(script),
            clock=lambda: self.now,
            answer=self.answer,
            voice=Lazy.ready(StandInVoice()),
            recogniser=Lazy.ready(StandInRecogniser(*heard)),
        )

    async def answer(self, offer: str, **callbacks: Any) -> Any:
        self.peers.append(FakePeer(offer, **callbacks))
        return self.peers[-1]


class Server:
    """The emulator over HTTP."""

    def __init__(self, root: str, provider: Provider, http: ClientSession, fakes: Fakes) -> None:
        self.root, self.http, self.fakes = root, http, fakes
        self.base = root + PREFIX[provider]
        self.realtime = root + BASE[provider]
        self.live = root + LIVE_BASE[provider]

    async def mint(self, **fields: Any) -> str:
        """An ephemeral key."""
        body = {"session": {"type": "realtime", "model": "gpt-realtime"}, **fields}
        headers = {"Authorization": "Bearer standard"}
        async with self.http.post(
            f"{self.realtime}/client_secrets", json=body, headers=headers
        ) as reply:
            assert reply.status == 200, await reply.text()
            return str((await reply.json())["value"])

    async def call(self, offer: str = "v=0\r\n", query: str = "") -> str:
        """The id of a new call."""
        headers = {
            "Authorization": f"Bearer {await self.mint()}",
            "Content-Type": "application/sdp",
        }
        async with self.http.post(
            f"{self.realtime}/calls{query}", data=offer, headers=headers
        ) as reply:
            assert reply.status == 201, await reply.text()
            return reply.headers["Location"].rsplit("/", 1)[-1]

    async def state(self) -> Any:
        async with self.http.get(f"{self.root}/emulator") as reply:
            return await reply.json()

    async def change(self, **script: Any) -> Any:
        async with self.http.patch(f"{self.root}/emulator", json=script) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()


@asynccontextmanager
async def serving(
    provider: Provider = "azure", *, real_media: bool = False, **script: Any
) -> AsyncIterator[Server]:
    """A running emulator."""
    fakes = Fakes(provider, **script)
    services = Services(provider, Script(script)) if real_media else fakes.services
    app = make_app(services=services, live_media=None if real_media else fakes.live.factory)
    async with running(app) as root, ClientSession() as http:
        yield Server(root, provider, http, fakes)
