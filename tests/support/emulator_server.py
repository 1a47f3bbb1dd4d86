"""The emulator over HTTP in this process, on fakes of its voice, recogniser and media.

Every event that a fake peer gets must match the `openai` package's types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import ClientSession
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime_emulator.app import BASE, make_app
from realtime_emulator.call.services import Lazy, Services
from realtime_emulator.live.live_routes import BASE as LIVE_BASE
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.script.script import Script
from realtime_emulator.speech.synthesis import Speech, Word, split_words
from tests.support.live_media import FakeMediaFactory
from tests.support.programs import running

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
EACH_WORD = timedelta(milliseconds=100)


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """The event, after validation against the API's types."""
    SERVER_EVENT.validate_python(event)
    return event


class FakeVoice:
    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        words = tuple(
            Word(word, n * EACH_WORD, (n + 1) * EACH_WORD)
            for n, word in enumerate(split_words(text))
        )
        return Speech(bytes(2 * int(48_000 * len(words) * EACH_WORD.total_seconds())), words)


class FakeRecogniser:
    def __init__(self, *heard: str) -> None:
        self.heard = list(heard)

    async def recognise(self, pcm: bytes) -> str:
        return self.heard.pop(0) if pcm and self.heard else ""


class FakePlayback:
    """Advances only when the test says so."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.position = timedelta(0)
        self.result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def stop(self) -> timedelta:
        if not self.result.done():
            self.result.set_result(False)
        return self.position

    def finish(self) -> None:
        self.position = self.speech.duration
        self.result.set_result(True)

    async def wait_for_end(self) -> bool:
        return await self.result


class FakePeer:
    """The media side of a call. `events` are those sent to the browser."""

    def __init__(self, offer: str, **callbacks: Any) -> None:
        self.sdp = "v=0\r\n"
        self.largest_event = 100_000
        self.callbacks = callbacks
        self.events: list[dict[str, Any]] = []
        self.playbacks: list[FakePlayback] = []
        self.closed = False
        self.answered = asyncio.Event()

    def open(self) -> None:
        self.callbacks["on_open"]()

    def send_event(self, text: str) -> bool:
        self.events.append(valid(json.loads(text)))
        if self.events[-1]["type"] == "response.done":
            self.answered.set()
        return True

    def play(self, speech: Speech) -> FakePlayback:
        self.playbacks.append(FakePlayback(speech))
        return self.playbacks[-1]

    async def close(self) -> None:
        self.closed = True


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
            voice=Lazy.ready(FakeVoice()),
            recogniser=Lazy.ready(FakeRecogniser(*heard)),
        )

    async def answer(self, offer: str, **callbacks: Any) -> Any:
        self.peers.append(FakePeer(offer, **callbacks))
        return self.peers[-1]


class Server:
    """The emulator over HTTP."""

    def __init__(self, root: str, provider: Provider, http: ClientSession, fakes: Fakes) -> None:
        self.root, self.http, self.fakes = root, http, fakes
        self.base = root + BASE[provider].removesuffix("/realtime")
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
