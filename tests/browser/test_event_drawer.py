"""The drawer in which `<realtime-call>` lists a call's events."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.browser.pretended_calls import calling, item, receive
from tests.support.chromium import INSIDE

pytestmark = pytest.mark.asyncio(loop_scope="session")

NO_CLIPBOARD = """() => {
  navigator.clipboard.writeText = () => Promise.reject(new Error());
}"""


async def test_the_drawer_of_events(stack: Stack, browser: Browser) -> None:
    async with calling(stack, browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        secret = {
            "type": "session.created",
            "session": {"client_secret": {"value": "ek_1234567890"}},
        }
        await receive(page, secret, item(1, "assistant"))
        await page.locator("#events").click()
        drawer = page.locator("#event-drawer")
        await expect(drawer.get_by_text("session.created")).to_be_visible()
        await expect(page.locator("#stop")).to_be_visible()
        assert await page.locator("#stop").evaluate(INSIDE)
        await drawer.get_by_label("Filter").fill("session.created")
        await expect(drawer.get_by_text("conversation.item.added")).to_be_hidden()
        await drawer.get_by_text("session.created").click()
        await expect(drawer.locator("pre")).to_contain_text("session")
        await drawer.get_by_role("button", name="Copy").click()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert "session.created" in copied
        assert "ek_1234567890" not in copied + await drawer.inner_text()
        await page.evaluate(NO_CLIPBOARD)
        await drawer.locator("#event-copy").click()
        await expect(drawer.locator("#event-copy")).to_have_text("Not copied")
        await page.keyboard.press("Escape")
        await expect(page.locator("#events")).to_be_focused()
        await page.locator("#language").select_option("es")
        await expect(page.locator("#connection")).to_have_text("En llamada")
        await expect(page.locator("#event-filter")).to_have_value("session.created")
