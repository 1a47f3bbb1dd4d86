"""Fakes for the emulator's calls: no network, no media, no waiting.

`fake_call` is one call on fakes; `serving` the whole emulator over HTTP, on fakes unless told
otherwise. Every event that either emits must match the `openai` package's types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from aiohttp import ClientSession, web
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from local.emulator.app import BASE, make_app
from local.emulator.call.call import Call, Ended, Observer
from local.emulator.call.services import Lazy, Services
from local.emulator.protocol import schema, session
from local.emulator.protocol.ids import Provider
from local.emulator.script.script import Script
from local.emulator.speech.synthesis import Speech, Word, split_words
from tests.support.patience import PATIENCE

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
SECOND_OF_SPEECH = bytes(2 * 16_000)
EACH_WORD = timedelta(milliseconds=100)


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """The event, after validation against the API's types."""
    SERVER_EVENT.validate_python(event)
    return event


def folded(kinds: list[str]) -> list[str]:
    """The types in order, with each run of deltas folded into one."""
    return [
        k for i, k in enumerate(kinds) if not k.endswith("delta") or i == 0 or kinds[i - 1] != k
    ]


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


class FakeCall:
    """One call, connected, with an observer."""

    def __init__(self, call: Call, peer: FakePeer, observer: Observer) -> None:
        self.call, self.peer, self.observer = call, peer, observer
        self.events: list[dict[str, Any]] = []

    def tell(self, kind: str, **fields: Any) -> None:
        """Handles a client event, as from the browser or an observer."""
        self.call.receive_event(json.dumps({"type": kind, **fields}))

    def ask(self, text: str) -> None:
        """Adds a written turn and asks for a response."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.tell("conversation.item.create", item=item)
        self.tell("response.create")

    def speak(self, pcm: bytes = SECOND_OF_SPEECH) -> None:
        """Adds a spoken turn, as if it had been detected."""
        self.call.input_audio.start_turn(timedelta(milliseconds=300))
        self.call.input_audio.stop_turn(timedelta(milliseconds=1300), pcm)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            entry = await self.observer.queue.get()
        assert isinstance(entry, dict), entry
        event = valid(json.loads(json.dumps(entry)))
        self.events.append(event)
        return event

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next event of this type; others are skipped."""
        while (event := await self.next())["type"] != kind:
            pass
        return event

    async def kinds(self, last: str) -> list[str]:
        """The types of the coming events up to one of type `last`, with deltas folded."""
        before = len(self.events)
        await self.expect(last)
        return folded([event["type"] for event in self.events[before:]])


@asynccontextmanager
async def fake_call(
    provider: Provider = "azure",
    *,
    heard: tuple[str, ...] = (),
    config: dict[str, Any] | None = None,
    filtered: bool = False,
    **script: Any,
) -> AsyncIterator[FakeCall]:
    """A call in progress."""
    fakes = Fakes(provider, heard, **script)
    wanted = {"type": "realtime", "model": "gpt-realtime", **(config or {})}
    schema.SESSION(wanted, "session")
    call = Call(fakes.services, session.create(wanted), filtered=filtered, on_end=lambda _: None)
    await call.answer_offer("v=0")
    observer = call.add_observer()
    fakes.peers[0].open()
    try:
        yield FakeCall(call, fakes.peers[0], observer)
    finally:
        call.end(Ended(1000, "the test is over"))
        await asyncio.gather(*call.tasks, return_exceptions=True)


class Server:
    """The emulator over HTTP."""

    def __init__(self, root: str, provider: Provider, http: ClientSession, fakes: Fakes) -> None:
        self.root, self.http, self.fakes = root, http, fakes
        self.base = root + BASE[provider].removesuffix("/realtime")
        self.realtime = root + BASE[provider]

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
    runner = web.AppRunner(make_app(services=services), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as http:
            yield Server(root, provider, http, fakes)
    finally:
        await runner.cleanup()
