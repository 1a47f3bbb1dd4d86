"""The page in each state, light and dark, wide and narrow: axe-core, touch targets and width."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import IN_THE_ELEMENT, probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).resolve().parents[1] / "npm" / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """async () => (await axe.run()).violations.map(
  ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)"""
TARGET = 44
"""The minimum height of a touch target, in CSS pixels."""

SMALL_TARGETS = f"""() => [...document.querySelectorAll('button, a, summary, label'),
    ...{IN_THE_ELEMENT}.querySelectorAll('button, a, summary')]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < {TARGET})
  .map((one) => one.outerHTML)"""


async def assert_accessible(page: Page) -> None:
    assert await page.evaluate(FINDINGS) == []
    assert await page.evaluate(SMALL_TARGETS) == []
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert await page.evaluate(wider) is False, "the page scrolls horizontally"


async def open_page(
    browser: Browser, url: str, scheme: Literal["light", "dark"], width: int
) -> Page:
    page = await probed_page(browser, speaks=True)
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto(url)
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
async def test_every_state_is_accessible(
    scheme: Literal["light", "dark"],
    width: int,
    stack: Stack,
    emulator: Emulator,
    hearing: Hearing,
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in tests/npm")
    async with hearing("silence") as browser:
        page = await open_page(browser, stack.url, scheme, width)
        await page.get_by_text("Settings").click()
        await assert_accessible(page)
        await page.keyboard.press("Escape")

        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await say(page, *utterances("hello.wav"))
        await expect(page.locator("#captions li")).to_have_count(2)
        await page.get_by_role("button", name="Mute").click()
        await assert_accessible(page)

        await page.get_by_role("button", name="Stop").click()
        await page.route("**/api/connect", lambda route: route.fulfill(status=401))
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#sign-in")).to_be_visible()
        await assert_accessible(page)


async def test_captions_do_not_talk_over_the_voice(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        live = f"[...{IN_THE_ELEMENT}.querySelectorAll('[aria-live], [role=status], [role=alert]')]"
        spoken = f"{live}.filter((one) => one.ariaLive !== 'off').map((one) => one.id)"
        assert await page.evaluate(spoken) == ["connection", "problem"]
