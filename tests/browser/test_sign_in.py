"""A stack that requires a sign-in: refused, signed in, called; and pages of other origins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Route, expect

from local.stack import Stack
from tests.browser.conftest import ELSEWHERE, Hearing
from tests.support.chromium import probed_page

pytestmark = pytest.mark.asyncio(loop_scope="session")

SITE = Path(__file__).resolve().parents[2] / "frontend"
UNLISTED = "http://nobodys.localhost"
FAIL = """async (broker) => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const { problem } = await new RealtimeCall({ connectUrl: `${broker}/api/connect` }).start();
  return problem.code;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed_stack() -> AsyncIterator[Stack]:
    async with Stack(login=True, env={"ALLOWED_ORIGINS": ELSEWHERE}) as running:
        yield running


async def test_refused_signed_in_called(closed_stack: Stack, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(closed_stack.url)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "sign_in_required")

        await page.get_by_role("link", name="Sign in").click()
        await page.get_by_label("User name").fill("somebody@example.com")
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{closed_stack.url}/")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#advice")).to_contain_text("You hung up")


async def test_pages_of_other_origins_are_told_why(closed_stack: Stack, hearing: Hearing) -> None:
    """A listed one that the site's sign-in keeps out, one that is not listed, and a dead broker."""

    async def serve(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            await route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            await route.fulfill(path=SITE / path.removeprefix("/"))

    async with hearing("silence") as browser:
        page = await probed_page(browser)
        for origin in (ELSEWHERE, UNLISTED):
            await page.route(f"{origin}/**", serve)
        await page.goto(ELSEWHERE)
        assert await page.evaluate(FAIL, closed_stack.url) == "sign_in_cross_origin"
        await page.goto(UNLISTED)
        assert await page.evaluate(FAIL, closed_stack.url) == "origin_not_allowed"
        assert await page.evaluate(FAIL, "http://127.0.0.1:9") == "network_unreachable"
