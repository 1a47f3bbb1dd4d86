"""The microphone of `<realtime-call>`: held to talk, changed, lost, left out."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.browser.pretended_calls import opened, start
from tests.support.chromium import MIC_TRACKS

pytestmark = pytest.mark.asyncio(loop_scope="session")

REMEMBERED = "localStorage.getItem('realtime-call.microphone')"
LOSE = """() => {
  const track = probes.tracks.at(-1);
  track.stop();
  track.dispatchEvent(new Event('ended'));
}"""
"""Has the microphone end as if it were unplugged: a track that a page stops itself tells nobody."""


async def test_the_microphone_is_held_left_out_and_changed(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser) as page:
        microphone = page.locator("#microphone")

        async def set_up(what: str, *, on: bool) -> None:
            await page.locator("#sound").click()
            await page.get_by_label(what).set_checked(on)
            await page.keyboard.press("Escape")

        await set_up("Hold to talk", on=True)
        await start(page)
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.keyboard.down("Space")
        await expect(microphone).to_have_attribute("data-state", "on")
        await page.keyboard.up("Space")
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.locator("#text-field").press("Space")
        await expect(page.locator("#text-field")).to_have_value(" ")
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.locator("#stop").click()

        await set_up("Hold to talk", on=False)
        await start(page)
        await page.locator("#sound").click()
        await page.locator("#microphones").select_option(index=2)
        await page.wait_for_function(f"() => {MIC_TRACKS}.join() === 'ended,ended,live'")
        # Once the list that follows the choice has come: a later one would open it again.
        await page.wait_for_function(f"() => {REMEMBERED}")
        await page.evaluate("navigator.mediaDevices.enumerateDevices().then(() => null)")
        await page.evaluate(LOSE)
        await expect(page.locator("#problem")).to_have_attribute("data-code", "microphone_lost")
        await expect(microphone).to_have_attribute("data-state", "off")
        await page.locator("#microphones").select_option(index=1)
        await expect(page.locator("#problem")).to_be_hidden()
        # What it shows by now may yet be the choice before.
        [chosen] = await page.locator("#microphones").select_option(index=2)
        await page.keyboard.press("Escape")
        await page.locator("#stop").click()
        await page.locator("#sound").click()
        await expect(page.locator("#microphones")).to_have_value(chosen)
        await page.wait_for_function(f"(id) => {REMEMBERED} === id", arg=chosen)
        await page.keyboard.press("Escape")

        await set_up("No microphone", on=True)
        opened_before = await page.evaluate("probes.tracks.length")
        await start(page)
        await expect(page.locator("#headline")).to_have_text("Write, and listen.")
        await expect(page.locator("#mute")).to_be_hidden()
        await expect(microphone).to_have_attribute("data-state", "off")
        assert await page.evaluate("probes.tracks.length") == opened_before
