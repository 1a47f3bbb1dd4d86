"""GPT-Live calls from the page through the whole stack: spoken, interrupted, with a tool of the
server's, muted, on standby."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.browser.live_page import calling, stop
from tests.support.chromium import MIC_TRACKS, probed_page, say
from tests.support.emulated import Emulator
from tests.support.shown import CONNECTION, HEADLINE, record, until_shown
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_spoken_call(live_stack: Stack, live_emulator: Emulator, hearing: Hearing) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await say(page, *utterances("hello.wav"))
        captions = page.locator("#captions li")
        await expect(captions.nth(1).locator(".words")).to_contain_text("help you today")
        await expect(captions.nth(0)).to_have_attribute("data-who", "user")
        await expect(captions.nth(0).locator(".words")).to_contain_text("hear me")
        await expect(captions.nth(1)).to_have_attribute("data-who", "assistant")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await expect(page.locator("#headline")).to_have_text("Listening.")

        await stop(page)
        state = await live_emulator.live_sessions(0)
        assert state["started_sessions"] == 1
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
        assert await page.evaluate("probes.violations") == []
        await expect(captions).to_have_count(2)


async def silence_of(page: Page) -> None:
    """Waits until nothing is heard any more. Silence has no event: its energy stands still."""
    before = await page.evaluate("probes.energy()")
    while True:
        await page.wait_for_timeout(300)
        after = await page.evaluate("probes.energy()")
        if after - before < 1e-6:
            return
        before = after


STORY = {
    "rules": [
        {"words": ["story"], "say": "Once upon a time there was a king and " * 20},
        {"words": ["stop"], "say": "I stopped.", "stall_seconds": 3},
    ]
}


async def test_speaking_silences_the_answer(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    await live_emulator.change(STORY)
    request, interruption = utterances("story-then-stop.wav")
    async with calling(live_stack, hearing, "plain-live") as page:
        await record(page, HEADLINE)
        await say(page, request)
        story = page.locator("#captions li[data-who=assistant]").first
        await expect(story.locator(".words")).to_contain_text("Once upon")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await until_shown(page, HEADLINE, "Answering.")
        await asyncio.gather(silence_of(page), say(page, interruption))
        await expect(story).to_have_attribute("data-interrupted", "")
        told = await story.locator(".words").inner_text()
        assert told.count("king") < 15, "the whole story was told"
        await expect(page.locator("#captions li").last.locator(".words")).to_contain_text(
            "I stopped"
        )
        await stop(page)


LOOK_UP = {
    "rules": [
        {"words": ["london"], "call": {"tool": "order", "arguments": {"order_number": "1002"}}}
    ]
}


async def test_the_result_of_a_servers_tool_is_spoken(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    await live_emulator.change(LOOK_UP)
    async with calling(live_stack, hearing, "live") as page:
        await record(page, HEADLINE)
        await say(page, *utterances("weather.wav"))
        captions = page.locator("#captions")
        # The recogniser may mistake a word before it has heard the next.
        await expect(captions).to_contain_text("london", ignore_case=True)
        await expect(captions).to_contain_text("1002")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await until_shown(page, HEADLINE, "Looking that up…")
        await expect(page.locator("#headline")).to_have_text("Listening.")
        await stop(page)


async def test_mute_is_known_to_the_server(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await page.get_by_role("button", name="Mute").click()
        await live_emulator.until(lambda state: state["sessions"][0]["muted"], "muted")
        await expect(page.locator("#microphone")).to_contain_text("Microphone muted")
        await page.get_by_role("button", name="Mute").click()
        await live_emulator.until(lambda state: not state["sessions"][0]["muted"], "unmuted")
        await say(page, *utterances("hello.wav"))
        await expect(page.locator("#captions")).to_contain_text("help you today")
        await expect(page.locator("#problem")).to_be_hidden()
        await stop(page)


async def test_an_operators_mute_is_shown_and_not_lifted(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        (session,) = (await live_emulator.live_sessions(1))["sessions"]
        url = f"{live_emulator.url}/openai/v1/live/sessions/{session['id']}/attach"
        async with live_emulator.http.ws_connect(url, headers={"api-key": "any"}) as sideband:
            await sideband.send_json({"type": "session.input_audio.mute"})
            await expect(page.locator("#microphone")).to_contain_text("muted by the operator")
            await expect(page.locator("#advice")).to_contain_text("operator")
            await page.get_by_role("button", name="Mute").click()
            await page.get_by_role("button", name="Mute").click()
            await expect(page.locator("#microphone")).to_contain_text("muted by the operator")
            assert (await live_emulator.state())["sessions"][0]["muted"] is True
            await sideband.send_json({"type": "session.input_audio.unmute"})
            await expect(page.locator("#microphone")).to_contain_text("Microphone on")
        await stop(page)


async def test_standby_and_waking(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "idle-live") as page:
        await expect(page.locator("#connection")).to_have_text("On standby")
        await expect(page.locator("#advice")).to_contain_text("Speak, and the call goes on")
        assert (await live_emulator.state())["sessions"][0]["paused"] is True
        await record(page, CONNECTION)
        await say(page, *utterances("hello.wav"))
        await until_shown(page, CONNECTION, "Connected")
        await expect(page.locator("#captions")).to_contain_text("help you today")
        await stop(page)


async def test_a_key_is_refused_and_said_why(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(f"{live_stack.url}/?profile=live")
        await page.get_by_text("Settings").click()
        await page.locator("input[value=token]").check()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "live_without_keys")
        await expect(page.locator("#problem")).to_contain_text("Through the broker")
