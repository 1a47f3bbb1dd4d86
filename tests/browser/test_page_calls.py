"""Voice calls from the page through the whole stack."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import IN_THE_ELEMENT, MIC_TRACKS, probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def choose(page: Page, mode: str) -> None:
    await page.get_by_text("Settings").click()
    await page.locator(f"input[value={mode}]").check()
    await page.keyboard.press("Escape")


@pytest.mark.parametrize("mode", ["connect", "token"])
async def test_a_spoken_call(mode: str, stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True, motion=mode == "connect")
        origins: set[str] = set()
        page.on("request", lambda request: origins.add(origin_of(request.url)))
        await page.goto(stack.url)
        await choose(page, mode)
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "off")
        await page.get_by_role("button", name="Start").click()

        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "on")
        await say(page, *utterances("hello.wav"))
        captions = page.locator("#captions li")
        await expect(captions.nth(1).locator(".words")).to_contain_text("help you today")
        await expect(captions.nth(0)).to_have_attribute("data-who", "user")
        await expect(captions.nth(0).locator(".words")).to_contain_text("hear me")
        await expect(captions.nth(1)).to_have_attribute("data-who", "assistant")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        assert await page.evaluate(f"{IN_THE_ELEMENT}.querySelector('audio').paused") is False
        assert (await emulator.state())["calls"][0]["filtered"] is True

        await page.get_by_role("button", name="Stop").click()
        await emulator.live_calls(0)
        await emulator.hang_ups(1)
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "off")
        await expect(page.locator("#headline")).to_have_text("The call has ended.")
        await expect(captions).to_have_count(2)

        assert await page.evaluate("probes.violations") == []
        direct = {stack.emulator_url} if mode == "token" else set()
        assert origins == {origin_of(stack.url)} | direct


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


CUT_OFF = """async () => {
  const root = document.querySelector('realtime-call').shadowRoot;
  const isCut = () => root.querySelector('#captions li[data-interrupted]');
  await new Promise((resolve) => {
    const look = () => isCut() && resolve();
    const options = { attributes: true, childList: true, subtree: true };
    new MutationObserver(look).observe(root.querySelector('#captions'), options);
  });
  for (let before = await probes.energy(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const after = await probes.energy();
    if (after - before < 1e-6) return root.querySelectorAll('#captions li').length;
    before = after;
  }
}"""
"""Waits until an answer is cut off and nothing is heard any more; gives the captions by then."""

SCRIPT = {
    "rules": [
        {"words": ["story"], "say": "Once upon a time " * 20},
        # Answered late, so that the silence after the cut can be told from the next answer.
        {"words": ["stop"], "say": "I stopped.", "stall_seconds": 6},
    ]
}


async def test_speaking_cuts_the_answer_off(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    await emulator.change(SCRIPT)
    request, interruption = utterances("story-then-stop.wav")
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(stack.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await say(page, request)
        story = page.locator("#captions li[data-who=assistant]").first
        await expect(story.locator(".words")).to_contain_text("Once upon")
        assert await story.get_attribute("data-interrupted") is None
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        lines, _ = await asyncio.gather(page.evaluate(CUT_OFF), say(page, interruption))
        await expect(story).to_have_attribute("data-interrupted", "")
        assert lines < 4, "the sound stopped only with the next answer"

        second = page.locator("#captions li[data-who=assistant]").nth(1)
        await expect(second.locator(".words")).to_contain_text("stop")
        assert await second.get_attribute("data-interrupted") is None
        told = await story.locator(".words").inner_text()
        assert told.count("Once") < 20, "the whole story was told"
        events = (await emulator.state())["calls"][0]["events"]
        assert events["output_audio_buffer.cleared"] == 1
        assert events["conversation.item.truncated"] == 1
        await page.get_by_role("button", name="Stop").click()
        await emulator.live_calls(0)


async def test_stop_while_the_call_is_being_made(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    stopped = asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        await stopped.wait()
        await route.fulfill(response=answer)

    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.route("**/api/connect", hold)
        await page.goto(stack.url)
        await page.get_by_role("button", name="Start").click()
        await emulator.live_calls(1)
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "off")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
        stopped.set()
        await emulator.live_calls(0)
        await expect(page.locator("#headline")).to_have_text("The call has ended.")


async def test_the_keyboard_alone_and_mute(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        for stop in ("language", "settings", "start"):
            await page.keyboard.press("Tab")
            await expect(page.locator(f"#{stop}")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Stop")).to_be_focused()
        await expect(page.locator("#connection")).to_have_text("Connected")

        await page.keyboard.press("Shift+Tab")
        mute = page.get_by_role("button", name="Mute")
        await expect(mute).to_be_focused()
        await page.keyboard.press("Space")
        await expect(mute).to_have_attribute("aria-pressed", "true")
        assert await page.evaluate("probes.tracks[0].enabled") is False
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "muted")
        await page.keyboard.press("Space")
        await page.wait_for_function("() => probes.tracks[0].enabled")

        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Start")).to_be_focused()
        await emulator.live_calls(0)


async def test_the_other_side_hangs_up(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await emulator.reset()
        await expect(page.locator("#advice")).to_contain_text("The other side ended the call")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


async def test_leaving_the_page_ends_the_call(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await page.goto("about:blank")
        await emulator.live_calls(0)
        await emulator.hang_ups(1)
