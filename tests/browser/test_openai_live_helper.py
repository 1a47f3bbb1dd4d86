"""OpenAI's browser helper for GPT-Live, of its npm package, against the broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Route

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPENAI = Path(__file__).resolve().parents[2] / "tests" / "npm" / "node_modules" / "openai"

OFFICIAL = """async () => {
  const { OpenAILiveWebRTC } = await import('/openai/lib/live/webrtc.mjs');
  const { TranscriptGrouper } = await import('/openai/lib/live/transcript-grouper.mjs');
  const connection = new OpenAILiveWebRTC();
  const grouper = new TranscriptGrouper();
  window.said = new Map();
  grouper.on('segment.updated', ({ id, speaker, text }) => said.set(id, `${speaker}: ${text}`));
  connection.onEvent((event) => grouper.push(event));
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  connection.peerConnection.addTrack(microphone.getAudioTracks()[0]);
  let location;
  await connection.connect({
    exchangeSdp: async (body, { signal }) => {
      const headers = { 'Content-Type': 'application/sdp' };
      const url = '/api/connect?profile=plain-live';
      const answer = await fetch(url, { method: 'POST', headers, body, signal });
      location = new URL(answer.headers.get('location'), answer.url);
      return answer.text();
    },
  });
  window.leave = async () => {
    connection.send({ type: 'session.close' });
    connection.close();
    return (await fetch(`${location}/hangup`, { method: 'POST' })).status;
  };
  return connection.state;
}"""


async def test_openais_own_helper(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    if not (OPENAI / "lib" / "live").is_dir():
        pytest.skip("openai is not installed: run `npm ci` in tests/npm")

    async def serve(route: Route) -> None:
        path = OPENAI / route.request.url.partition("/openai/")[2]
        await route.fulfill(path=path, content_type="text/javascript")

    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.route("**/openai/**", serve)
        await page.goto(live_stack.url)
        assert await page.evaluate(OFFICIAL) == "connected"
        await say(page, *utterances("hello.wav"))
        await page.wait_for_function(
            "() => [...said.values()].some((line) => /^assistant: .*help you today/.test(line))"
        )
        assert await page.evaluate("leave()") == 204
