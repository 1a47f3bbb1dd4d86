"""The peer, called by a real Chromium with a recorded voice as its microphone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from realtime_emulator.media.peer import Peer
from realtime_emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from realtime_emulator.speech.recognition import SphinxRecogniser
from realtime_emulator.speech.synthesis import Speech
from tests.contract.media.caller import Until, tone
from tests.support.chromium import executable, hearing
from tests.support.patience import PATIENCE
from tests.support.voice import VOICE

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium, Chrome or Edge")

PAGE = "http://localhost/"
"""Intercepted by Playwright, so no network is needed; localhost is a secure context."""

CALL = """async () => {
  window.pc = new RTCPeerConnection();
  const sink = document.body.appendChild(document.createElement('audio'));
  sink.autoplay = true;
  pc.ontrack = event => { sink.srcObject = event.streams[0]; };
  const { sender } = pc.addTransceiver('audio');
  window.channel = pc.createDataChannel('realtime-channel');
  const open = new Promise(resolve => { channel.onopen = resolve; });
  window.closed = new Promise(resolve => { channel.onclose = resolve; });
  window.message = new Promise(resolve => { channel.onmessage = e => resolve(e.data); });
  await pc.setLocalDescription(await pc.createOffer());
  await pc.setRemoteDescription({type: 'answer', sdp: await answer(pc.localDescription.sdp)});
  await open;
  // The recording runs from here on, when somebody listens.
  const media = await navigator.mediaDevices.getUserMedia({audio: true});
  await sender.replaceTrack(media.getAudioTracks()[0]);
  channel.send('hello from the page');
}"""

ENERGY = """async () => {
  for (;;) {
    for (const stats of (await pc.getStats()).values()) {
      if (stats.type === 'inbound-rtp' && stats.totalAudioEnergy > 0.01) return stats.packetsLost;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}"""


class Call(Until):
    """A page's call, seen from the peer's side."""

    def __init__(self, browser: Browser) -> None:
        super().__init__()
        self.browser = browser
        self.vad = VoiceActivityDetector(TurnDetection())
        self.turns: list[bytes] = []
        self.told: list[str] = []
        self.opened = 0
        self.closed = 0
        self.page: Page
        self.peer: Peer

    async def start(self, script: str = CALL) -> None:
        self.page = await self.browser.new_page()
        await self.page.route(PAGE, lambda route: route.fulfill(body="<body></body>"))
        await self.page.goto(PAGE)
        await self.page.expose_function("answer", self.answer_offer)
        await self.page.evaluate(script)
        await self.until(lambda: self.opened and self.told)

    async def answer_offer(self, offer: str) -> str:
        self.peer = await Peer.answer(
            offer,
            on_audio=self.handle_audio,
            on_message=self.handle_event,
            on_open=self.handle_open,
            on_close=self.handle_close,
        )
        return self.peer.sdp

    def handle_audio(self, pcm: bytes) -> None:
        self.turns += [e.pcm for e in self.vad.add_audio(pcm) if isinstance(e, SpeechStopped)]
        self.changed()

    def handle_event(self, text: str) -> None:
        self.told.append(text)
        self.changed()

    def handle_open(self) -> None:
        self.opened += 1
        self.changed()

    def handle_close(self) -> None:
        self.closed += 1
        self.changed()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with hearing(VOICE / "hello.wav") as browser:
        yield browser


async def test_a_page_is_heard_understood_and_answered(browser: Browser) -> None:
    call = Call(browser)
    await call.start()
    assert call.peer.send_event("hello from the peer")
    assert await call.page.evaluate("message") == "hello from the peer"
    playback = call.peer.play(Speech(tone(1.5), ()))
    assert await call.page.evaluate(ENERGY) == 0
    assert await playback.wait_for_end()
    await call.until(lambda: call.turns)
    recogniser = SphinxRecogniser()
    assert "hello" in (await recogniser.recognise(call.turns[0])).split()
    recogniser.close()
    assert call.told == ["hello from the page"]
    await call.page.evaluate("pc.close()")
    await call.until(lambda: call.closed)
    await call.peer.close()
    assert (call.opened, call.closed) == (1, 1)


async def test_a_page_that_offers_video_and_two_microphones_is_answered(browser: Browser) -> None:
    call = Call(browser)
    first = "pc.addTransceiver('video'); pc.addTransceiver('audio'); const { sender }"
    await call.start(CALL.replace("const { sender }", first))
    assert call.told == ["hello from the page"]
    await call.page.evaluate("pc.close()")
    await call.until(lambda: call.closed)


async def test_the_page_sees_the_server_hang_up(browser: Browser) -> None:
    call = Call(browser)
    await call.start()
    await call.peer.close()
    async with asyncio.timeout(PATIENCE):
        await call.page.evaluate("closed")
    assert call.closed == 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
async def test_a_killed_browser_ends_the_call(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Call(browser)
    await call.start()
    # Two missed checks instead of five: the same code path, five seconds sooner.
    monkeypatch.setattr("aioice.ice.CONSENT_FAILURES", 2)
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    for process in processes:
        os.kill(process["id"], signal.SIGKILL)
    await call.until(lambda: call.closed)
    await call.peer.close()
    assert call.closed == 1
