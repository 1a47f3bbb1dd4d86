"""A stack that requires a sign-in: a refused start, the sign-in, and a call."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_refused_signed_in_called(hearing: Hearing) -> None:
    async with Stack(login=True) as stack, hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "sign_in_required")

        await page.get_by_role("link", name="Sign in").click()
        await page.get_by_label("User name").fill("somebody@example.com")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{stack.url}/")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#advice")).to_contain_text("You hung up")
