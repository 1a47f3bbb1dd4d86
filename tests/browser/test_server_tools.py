"""A tool called by voice in the browser runs on the server, and its result is spoken."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULE = {"words": ["weather"], "call": {"tool": "order", "arguments": {"order_number": "1002"}}}


async def test_a_tool_called_by_voice_runs_on_the_server_and_its_result_is_spoken(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    await emulator.change({"rules": [RULE]})
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        await page.goto(f"{stack.url}/?profile=help-desk")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await say(page, *utterances("weather.wav"))
        captions = page.locator("#captions")
        await expect(captions).to_contain_text("weather")
        await expect(captions).to_contain_text("order 1002")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        (call, *_) = (await emulator.state())["calls"]
        assert call["filtered"] is True, "the page never sees the call or its arguments"
        assert call["events"]["response.function_call_arguments.done"] >= 1
        await page.get_by_role("button", name="Stop").click()
        await emulator.live_calls(0)
