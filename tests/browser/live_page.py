"""The page on a GPT-Live call, for the tests of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page
from tests.support.shown import CONNECTION, record, until_shown


@asynccontextmanager
async def calling(stack: Stack, hearing: Hearing, profile: str) -> AsyncIterator[Page]:
    """A page that is on a call."""
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(f"{stack.url}/?profile={profile}")
        await page.get_by_role("button", name="Start").wait_for()
        await record(page, CONNECTION)
        await page.get_by_role("button", name="Start").click()
        await until_shown(page, CONNECTION, "Connected")
        yield page


async def stop(page: Page) -> None:
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("#headline")).to_have_text("The call has ended.")
    await expect(page.locator("#advice")).to_contain_text("You hung up")
