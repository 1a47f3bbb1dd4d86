"""Full duplex with a real Chromium, which speaks recorded utterances when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from realtime_emulator.call.services import Services
from realtime_emulator.live.media_interfaces import (
    CHUNK_BYTES,
    GRID_MS,
    SILENT_CHUNK,
    MediaSettings,
)
from realtime_emulator.live.webrtc_media import WebRtcMedia, answer_offer
from tests.contract.live_media.session import SESSION_ID, Session, started
from tests.contract.media.caller import loudness
from tests.support.chromium import executable, hearing, probed_page, say
from tests.support.voice import VOICE, utterances

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium, Chrome or Edge")

PAGE = "http://localhost/"
"""Fulfilled by Playwright; localhost is a secure context."""

CALL = """async () => {
  const pc = window.pc = new RTCPeerConnection();
  window.states = [];
  pc.onconnectionstatechange = () => states.push(pc.connectionState);
  const sink = document.body.appendChild(document.createElement('audio'));
  sink.autoplay = true;
  pc.ontrack = (event) => { sink.srcObject = event.streams[0]; };
  window.events = [];
  const channel = window.channel = pc.createDataChannel('oai-events');
  channel.onmessage = (message) => events.push(JSON.parse(message.data));
  window.closed = new Promise((resolve) => { channel.onclose = resolve; });
  const media = await navigator.mediaDevices.getUserMedia({ audio: true });
  pc.addTrack(media.getAudioTracks()[0], media);
  await pc.setLocalDescription(await pc.createOffer());
  await pc.setRemoteDescription({ type: 'answer', sdp: await answer(pc.localDescription.sdp) });
}"""

ENERGY = "probes.energy()"
LONG = (
    "Once upon a time there was a small radio that lived on a shelf above a busy kitchen. "
    "Every morning it listened to the kettle, and every evening it listened to the rain."
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with hearing(VOICE / "hello.wav") as browser:
        yield browser


@asynccontextmanager
async def page_call(
    browser: Browser, services: Services, **settings: Any
) -> AsyncIterator[tuple[Listener, WebRtcMedia, Page]]:
    """A page in a session. Its microphone says hello by itself, once, and then what `say` says."""
    session = Listener()
    calls: list[WebRtcMedia] = []

    async def answer(offer: str) -> str:
        media = await answer_offer(offer, MediaSettings(SESSION_ID, **settings), session, services)
        calls.append(media)
        session.on_connected = lambda: media.send_event(started())
        return media.sdp

    page = await probed_page(browser, speaks=True)
    await page.route(PAGE, lambda route: route.fulfill(body="<body></body>"))
    await page.goto(PAGE)
    await page.expose_function("answer", answer)
    await page.evaluate(CALL)
    await session.until(lambda: session.connected)
    try:
        yield session, calls[0], page
    finally:
        await calls[0].close()


class Listener(Session):
    """Keeps how much of the caller had been heard by then: a busy machine's sound is late."""

    def __init__(self) -> None:
        super().__init__()
        self.heard_at_onsets: dict[int, int] = {}
        self.heard_at_chunks = [0]
        """For each chunk of the output, where it began, and for the next one."""

    @property
    def heard_ms(self) -> int:
        return len(self.microphone) * GRID_MS // CHUNK_BYTES

    def speech_started(self, start_ms: int) -> None:
        self.heard_at_onsets[start_ms] = self.heard_ms
        super().speech_started(start_ms)

    def output_audio(self, pcm: bytes, start_ms: int, end_ms: int) -> None:
        self.heard_at_chunks.append(self.heard_ms)
        super().output_audio(pcm, start_ms, end_ms)

    @property
    def heard_at_last_sound(self) -> int:
        chunks = zip(self.output, self.heard_at_chunks, strict=False)
        return max(heard for (pcm, _, _), heard in chunks if sounds(pcm))


def sounds(pcm: bytes) -> bool:
    return pcm is not SILENT_CHUNK and loudness(pcm) > 300


def sounding(session: Session) -> list[int]:
    return [start for pcm, start, _ in session.output if sounds(pcm)]


async def test_a_page_asks_and_hears_the_answer(browser: Browser, services: Services) -> None:
    async with page_call(browser, services) as (session, media, page):
        session.on_utterance = lambda utterance: media.say(f"You said: {utterance.text}.")
        await session.until(lambda: session.utterances)
        assert "hello" in session.utterances[0].text.split()
        await session.until(lambda: sounding(session) and session.output[-1][0] is SILENT_CHUNK)
        assert await page.evaluate(ENERGY) > 0.01
        assert session.said.startswith("You said: hello")
        assert "hello" in session.heard.split()
        events = await page.evaluate("events")
        assert [event["type"] for event in events] == ["session.started"]


async def test_a_page_interrupts_overlaps_and_hangs_up(
    browser: Browser, services: Services
) -> None:
    lost = timedelta(seconds=0.2)
    async with page_call(browser, services, connection_lost_after=lost, backchannel_after=None) as (
        session,
        media,
        page,
    ):
        await session.until(lambda: session.utterances)
        # The page speaks over the model, which stops.
        saying = media.say(LONG)
        await session.until(lambda: sounding(session))
        question, _ = utterances("story-then-stop.wav")
        await say(page, question)
        assert not await saying.wait_for_end()
        await session.until(lambda: len(session.utterances) > 1)
        interruption = session.utterances[1]
        onset = session.heard_at_onsets[interruption.start_ms]
        assert session.heard_at_last_sound <= onset + 400
        assert len(session.said) < len(LONG) / 2
        # The model speaks over the page, and neither stops.
        onsets = len(session.onsets)
        speaking = asyncio.create_task(say(page, question))
        await session.until(lambda: len(session.onsets) > onsets)
        commentary = media.say("Your package arrives on Friday.", "commentary")
        assert await commentary.wait_for_end()
        await session.until(lambda: len(session.utterances) > 2)
        assert "story" in session.utterances[2].text
        assert session.said.endswith("Friday.")
        await speaking
        await page.evaluate("pc.close()")
        await session.until(lambda: session.states == ["connection_lost"])


async def test_a_page_falls_idle_and_wakes(browser: Browser, services: Services) -> None:
    async with page_call(browser, services, idle_timeout=timedelta(seconds=2)) as (
        session,
        media,
        page,
    ):
        await session.until(lambda: session.utterances)
        await session.until(lambda: session.states == ["paused"])
        (question,) = utterances("weather.wav")
        await say(page, question)
        await session.until(lambda: session.states[:2] == ["paused", "resumed"])
        await session.until(lambda: len(session.utterances) > 1)
        assert "london" in session.utterances[1].text
        assert media.paused_ms > 0
        await media.close()
        await page.evaluate("closed")
        assert await page.evaluate("pc.connectionState") in ("connected", "disconnected", "closed")
