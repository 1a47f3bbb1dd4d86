"""What a call does with the microphone in a real Chromium: permission, loss, change, none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.support import chromium
from tests.support.chromium import permit
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEGIN = """async (options) => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const { Speaker } = await import('/speaker.js');
  const call = new RealtimeCall({ levelInterval: 50, ...options });
  const seen = { problems: [], microphone: 0, answer: 0, devices: null };
  call.on('problem', ({ code }) => seen.problems.push(code));
  call.on('devices', (list) => (seen.devices = list));
  call.on('level', ({ microphone, answer }) => {
    seen.microphone = Math.max(seen.microphone, microphone);
    seen.answer = Math.max(seen.answer, answer);
  });
  const audio = document.body.appendChild(new Audio());
  const problem = ({ code }) => seen.problems.push(code);
  Object.assign(window, { call, seen, speaker: new Speaker(audio, { problem }) });
  await call.prepare();
  const started = call.start();
  speaker.play(call.remoteStream);
  const state = await started;
  return state.problem?.code ?? state.status;
}"""
"""Begins a call with these options; gives its state, or why there is none."""

PACKETS = """async () => {
  const sent = async () => {
    for (const entry of (await call.getStats()).values())
      if (entry.type === 'outbound-rtp') return entry.packetsSent;
  };
  for (const before = await sent(); (await sent()) < before + 5; )
    await new Promise((resolve) => setTimeout(resolve, 20));
  return true;
}"""
"""Waits until more sound has been sent."""

OTHER_MICROPHONE = """() => {
  const { deviceId } = probes.tracks.at(-1).getSettings();
  return seen.devices?.microphones.find(({ id }) => id !== deviceId && id !== 'default')?.id;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asking(silence: Path) -> AsyncIterator[Browser]:
    """A browser that asks the user, for whom a test answers."""
    chromium.skip_if_missing()
    async with chromium.asking(silence) as browser:
        yield browser


async def test_a_permission_refused_granted_revoked_and_granted_again(
    stack: Stack, emulator: Emulator, asking: Browser
) -> None:
    page = await chromium.probed_page(asking)
    await page.goto(stack.url)
    start, light = page.locator("#start"), page.locator("#microphone")
    await permit(page, "denied")
    await start.click()
    await expect(page.locator("#problem")).to_have_attribute("data-code", "microphone_denied")
    assert (await emulator.state())["requests"]["calls"] == 0

    await permit(page, "granted")
    await start.click()
    await expect(page.locator("#connection")).to_have_text("Connected")
    await expect(light).to_have_attribute("data-state", "on")

    # The track really ends, as when a microphone is unplugged.
    await permit(page, "denied")
    await expect(light).to_have_attribute("data-state", "off")
    await expect(page.locator("#problem")).to_have_attribute("data-code", "microphone_lost")
    await expect(page.locator("#connection")).to_have_text("Connected")

    await permit(page, "granted")
    await expect(light).to_have_attribute("data-state", "on")
    await expect(page.locator("#problem")).to_be_hidden()
    await page.evaluate("window.call = document.querySelector('realtime-call').call")
    assert await page.evaluate(PACKETS)
    await page.locator("#stop").click()
    await emulator.live_calls(0)
    assert await page.evaluate(chromium.MIC_TRACKS) == ["ended", "ended"]
    await page.close()


async def test_who_is_not_signed_in_is_not_asked_for_the_microphone(
    stack: Stack, emulator: Emulator, asking: Browser
) -> None:
    page = await chromium.probed_page(asking)
    await page.route(
        "**/api/connect",
        lambda route: route.fulfill(status=302, headers={"location": "/.auth/login/aad"}),
    )
    await page.goto(stack.url)
    await permit(page, "prompt")
    assert await page.evaluate(BEGIN, {}) == "sign_in_required"
    assert await page.evaluate(chromium.MIC_TRACKS) == []
    await page.close()


async def test_another_microphone_takes_over_and_both_voices_are_measured(
    stack: Stack, emulator: Emulator, asking: Browser
) -> None:
    page = await chromium.probed_page(asking, speaks=True)
    await page.goto(stack.url)
    await permit(page, "granted")
    assert await page.evaluate(BEGIN, {}) == "live"
    other = await (await page.wait_for_function(OTHER_MICROPHONE)).json_value()
    await page.evaluate("id => call.useMicrophone(id)", other)
    assert await page.evaluate("seen.devices.microphone") == other
    assert await page.evaluate("localStorage['realtime-call.microphone']") == other
    states = await page.evaluate(chromium.MIC_TRACKS)
    assert states == ["ended", "live"]

    await chromium.say(page, *utterances("hello.wav"))
    await page.wait_for_function("() => seen.microphone > 0.05 && seen.answer > 0.05")
    await page.wait_for_function("() => call.captions.some(({ text }) => /help you/.test(text))")
    assert await page.evaluate("seen.problems") == []
    await page.evaluate("call.stop()")
    await emulator.live_calls(0)
    await page.close()


async def test_a_call_without_a_microphone_is_typed_and_heard(
    stack: Stack, emulator: Emulator, asking: Browser
) -> None:
    page = await chromium.probed_page(asking)
    await page.goto(stack.url)
    await permit(page, "denied")
    assert await page.evaluate(BEGIN, {"microphone": False}) == "live"
    assert await page.evaluate(chromium.MIC_TRACKS) == []
    await page.evaluate("call.sendText('hello')")
    await page.wait_for_function("() => seen.answer > 0.05")
    assert await page.evaluate("seen.problems") == []

    await permit(page, "granted")
    await page.evaluate("call.useMicrophone('')")
    assert await page.evaluate("call.microphone") == {"captured": True, "muted": False}
    assert await page.evaluate(PACKETS)
    await page.evaluate("call.stop()")
    await emulator.live_calls(0)
    await page.close()
