"""Every view of the site, light and dark, wide and narrow, and by the keyboard alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support import accessibility, views
from tests.support.emulated import Emulator
from tests.support.patience import PATIENCE

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("axe_is_here"),
]


@dataclass(frozen=True, slots=True)
class Look:
    """How a view is shown, and the rules of axe-core that judge it; none named: all."""

    scheme: Literal["light", "dark"]
    width: int
    rules: tuple[str, ...] = ()


WIDE_AND_LIGHT = Look("light", 1280)
# Another look changes colours and places, and nothing else that axe-core has rules for.
NARROW_AND_DARK = Look("dark", 320, ("color-contrast",))
FOCUSED = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one?.id ?? '';
}"""
SPOKEN = """() => {
  const all = (root) => [...root.querySelectorAll('*')].flatMap(
    (one) => [one, ...(one.shadowRoot ? all(one.shadowRoot) : [])]);
  return all(document)
    .filter((one) => one.matches('[aria-live], [role=status], [role=alert]'))
    .filter((one) => one.ariaLive !== 'off')
    .map((one) => one.id);
}"""


async def open_page(browser: Browser) -> Page:
    page = await browser.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    await views.prepare(page)
    return page


async def faults_of(page: Page, view: views.View, look: Look) -> list[str]:
    await page.emulate_media(color_scheme=look.scheme)
    await page.set_viewport_size({"width": look.width, "height": 800})
    faults = await accessibility.faults(page, look.rules)
    return [f"{view.name}, {look.width}: {fault}" for fault in faults]


async def test_every_view_is_accessible(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    found: list[str] = []
    async with hearing("silence") as browser:
        page = await open_page(browser)
        for flow in (views.of_a_call, views.of_problems):
            async for view in flow(page, live_stack.url):
                found += await faults_of(page, view, WIDE_AND_LIGHT)
                if not view.passes:
                    found += await faults_of(page, view, NARROW_AND_DARK)
        # The rest of the desk is in its own tests.
        async for view in views.of_the_desk(page, live_stack.url):
            found += await faults_of(page, view, NARROW_AND_DARK)
    assert found == []


async def test_large_text_from_right_to_left_on_a_phone(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    """Stop stays in reach, whatever the text needs."""
    async with hearing("silence") as browser:
        page = await open_page(browser)
        await views.mirror(page)
        await page.add_init_script(accessibility.LARGE_TEXT)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.goto(stack.url)
        found = await accessibility.faults(page)
        await page.locator("#start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        found += await accessibility.faults(page)
        assert found == []
        box = await page.locator("#stop").bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 844
        await page.locator("#stop").click()
        await emulator.live_calls(0)


async def test_the_keyboard_alone(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await open_page(browser)
        await page.goto(stack.url)
        await tab_to(page, "start")
        await page.keyboard.press("Enter")
        await expect(page.locator("#connection")).to_have_text("Connected")
        await tab_to(page, "mute")
        await page.keyboard.press("Space")
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "muted")
        await tab_to(page, "text-field")
        await page.keyboard.type("hello")
        await page.keyboard.press("Enter")
        await expect(page.locator("#captions li")).to_have_count(2)
        await tab_to(page, "events")
        await page.keyboard.press("Enter")
        await expect(page.locator("#event-drawer")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#event-drawer")).to_be_hidden()
        await tab_to(page, "stop")
        await page.keyboard.press("Enter")
        await expect(page.locator("#advice")).to_contain_text("You hung up")
        assert await page.evaluate(FOCUSED) == "start", "the focus was lost"


async def tab_to(page: Page, wanted: str) -> None:
    """Presses Tab until the focus is there, round and round."""
    passed: list[str] = []
    while (focused := await page.evaluate(FOCUSED)) != wanted:
        passed.append(focused)
        assert len(passed) < 60, f"the keyboard does not reach {wanted}: {passed}"
        await page.keyboard.press("Tab")


async def test_captions_do_not_talk_over_the_voice(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await open_page(browser)
        await page.goto(stack.url)
        await page.locator("#start").wait_for()
        assert await page.evaluate(SPOKEN) == ["connection", "problem", "no-checks"]
