"""One call of the emulator on fakes: no network, no media, no waiting.

Every event that it emits must match the `openai` package's types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from realtime_emulator.call.call import Call, Ended, Observer
from realtime_emulator.protocol import session, session_schema
from realtime_emulator.protocol.ids import Provider
from tests.support.emulator_server import FakePeer, Fakes, valid
from tests.support.patience import PATIENCE

SECOND_OF_SPEECH = bytes(2 * 16_000)


def folded(kinds: list[str]) -> list[str]:
    """The types in order, with each run of deltas folded into one."""
    return [
        k for i, k in enumerate(kinds) if not k.endswith("delta") or i == 0 or kinds[i - 1] != k
    ]


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
    wanted = config or {}
    if wanted.get("type") != "transcription":
        wanted = {"type": "realtime", "model": "gpt-realtime", **wanted}
    session_schema.SESSION(wanted, "session")
    call = Call(fakes.services, session.create(wanted), filtered=filtered, on_end=lambda _: None)
    await call.answer_offer("v=0")
    observer = call.add_observer()
    fakes.peers[0].open()
    try:
        yield FakeCall(call, fakes.peers[0], observer)
    finally:
        call.end(Ended(1000, "the test is over"))
        await asyncio.gather(*call.tasks, return_exceptions=True)
