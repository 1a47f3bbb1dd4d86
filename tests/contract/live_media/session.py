"""The engine's side of live media: keeps all that the media tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from realtime_emulator.call.services import Services
from realtime_emulator.caller import Caller
from realtime_emulator.live.media_interfaces import Fragment, MediaSettings, Utterance
from realtime_emulator.live.webrtc_media import WebRtcMedia, answer_offer
from realtime_emulator.protocol import events
from tests.contract.media.caller import Until

SESSION_ID = "live_u1_ETYIzp3oMdsOgToLqu6XD9tADPzN3Caj"
SHORT = timedelta(seconds=0.3)


class Session(Until):
    """Implements `MediaEvents`. `on_utterance` may answer."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = 0
        self.received: list[tuple[str, str]] = []
        self.microphone = bytearray()
        self.output: list[tuple[bytes, int, int]] = []
        self.input_fragments: list[Fragment] = []
        self.output_fragments: list[Fragment] = []
        self.onsets: list[int] = []
        self.utterances: list[Utterance] = []
        self.states: list[str] = []
        self.order: list[str] = []
        self.on_utterance: Callable[[Utterance], object] = lambda _: None
        self.on_connected: Callable[[], object] = lambda: None

    def media_connected(self) -> None:
        self.connected += 1
        self.on_connected()
        self.changed()

    def receive_event(self, text: str, source: str) -> None:
        self.received.append((text, source))
        self.changed()

    def input_audio(self, pcm: bytes) -> None:
        assert len(pcm) == 9600
        self.microphone += pcm
        self.changed()

    def output_audio(self, pcm: bytes, start_ms: int, end_ms: int) -> None:
        self.output.append((pcm, start_ms, end_ms))
        self.changed()

    def input_words(self, fragment: Fragment) -> None:
        self.input_fragments.append(fragment)
        self.order.append("input")
        self.changed()

    def output_words(self, fragment: Fragment) -> None:
        self.output_fragments.append(fragment)
        self.order.append("output")
        self.changed()

    def speech_started(self, start_ms: int) -> None:
        self.onsets.append(start_ms)
        self.changed()

    def speech_ended(self, utterance: Utterance) -> None:
        self.utterances.append(utterance)
        self.order.append("utterance")
        self.on_utterance(utterance)
        self.changed()

    def paused(self) -> None:
        self.states.append("paused")
        self.changed()

    def resumed(self) -> None:
        self.states.append("resumed")
        self.changed()

    def connection_lost(self) -> None:
        self.states.append("connection_lost")
        self.changed()

    @property
    def heard(self) -> str:
        """The transcript of the caller."""
        return "".join(fragment.text for fragment in self.input_fragments)

    @property
    def said(self) -> str:
        """The transcript of the model."""
        return "".join(fragment.text for fragment in self.output_fragments)


def started() -> dict[str, Any]:
    return events.event("session.started", session={"id": SESSION_ID})


@asynccontextmanager
async def live_call(
    services: Services, session: Session | None = None, **settings: Any
) -> AsyncIterator[tuple[Session, WebRtcMedia, Caller]]:
    """A caller in a session."""
    session = session or Session()
    settings = {"session_id": SESSION_ID, "connection_lost_after": SHORT, **settings}
    async with Caller() as caller:
        media = await answer_offer(
            await caller.offer(), MediaSettings(**settings), session, services
        )
        try:
            session.on_connected = lambda: media.send_event(started())
            await caller.accept(media.sdp)
            await session.until(lambda: session.connected)
            yield session, media, caller
        finally:
            await media.close()


async def never(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event stays unset for so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
            return False
    return True
