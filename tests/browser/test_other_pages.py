"""Pages written as in Microsoft's article, without this project's client."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page
from tests.support.emulated import Emulator

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = Path(__file__).parent / "pages"


@pytest.mark.parametrize("way", ["token", "connect"])
async def test_holds_a_call(way: str, stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        html = (PAGES / f"{way}.html").read_text()
        await page.route(
            "**/other.html", lambda route: route.fulfill(body=html, content_type="text/html")
        )
        await page.goto(f"{stack.url.rstrip('/')}/other.html")
        await page.get_by_role("button", name="Start session").click()
        log = page.locator("#log")
        await expect(log).to_contain_text("channel open")
        answer = "response.output_audio_transcript.done Hello! How can I help you today?"
        await expect(log).to_contain_text(answer)
        await expect(log).to_contain_text("output_audio_buffer.stopped")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        assert "response.created" not in await log.inner_text(), "the filter is off"
        assert (await emulator.state())["live_calls"] == 1
        await page.get_by_role("button", name="Close session").click()
        await emulator.live_calls(0)
