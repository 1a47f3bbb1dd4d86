"""A GPT-Live session of a real Firefox, whose answer is passive, lite, and has its own username."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from realtime_emulator.call.services import Services
from realtime_emulator.live.media_interfaces import MediaSettings
from realtime_emulator.live.webrtc_media import WebRtcMedia, answer_offer
from tests.contract.live_media.session import SESSION_ID, Session, started
from tests.support import firefox
from tests.support.programs import running

PAGE = """async () => {
  const pc = window.pc = new RTCPeerConnection();
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  pc.addTrack(microphone.getAudioTracks()[0], microphone);
  const audio = document.body.appendChild(new Audio());
  audio.autoplay = true;
  pc.ontrack = ({ streams: [stream] }) => (audio.srcObject = stream);
  const channel = pc.createDataChannel('oai-events');
  const first = new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(JSON.parse(data).type);
  });
  await pc.setLocalDescription(await pc.createOffer());
  const answer = await fetch('/answer', { method: 'POST', body: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  return await first;
}"""
ENERGY = """async () => {
  for (;;) {
    for (const entry of (await pc.getStats()).values()) {
      if (entry.type === 'inbound-rtp' && entry.totalAudioEnergy > 0) return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}"""


@pytest.mark.skipif(firefox.executable() is None, reason=firefox.MISSING)
async def test_a_page_speaks_and_listens(tmp_path: Path, services: Services) -> None:
    session = Session()
    made: list[WebRtcMedia] = []

    async def answer(request: web.Request) -> web.Response:
        media = await answer_offer(
            await request.text(), MediaSettings(SESSION_ID), session, services
        )
        made.append(media)
        session.on_connected = lambda: media.send_event(started())
        return web.Response(text=media.sdp)

    async def page_of_nothing(_: web.Request) -> web.Response:
        return web.Response(text="<body></body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page_of_nothing)
    app.router.add_post("/answer", answer)
    try:
        async with running(app) as url, firefox.running(tmp_path) as browser:
            page = await browser.open_page(url)
            assert await page.evaluate(PAGE) == "session.started"
            # Its pretended microphone is a tone, which is speech enough to be reflected.
            await session.until(lambda: any(session.microphone))
            made[0].say("One two three four five six seven eight.", "commentary")
            assert await page.evaluate(ENERGY)
            await made[0].close()
    except firefox.NotUsable as reason:  # a snap's launcher, for one
        pytest.skip(str(reason))
