"""`<realtime-call>` in pages of other origins: one script tag from the broker's site."""

from __future__ import annotations

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from local.stack import Stack
from tests.browser.conftest import ELSEWHERE, Hearing
from tests.support import firefox_microphone
from tests.support.bidi import Connection, css
from tests.support.chromium import probed_page
from tests.support.emulated import Emulator
from tests.support.programs import running

pytestmark = pytest.mark.asyncio(loop_scope="session")

STRANGER = "http://strangers.localhost"


def html_of(site: str) -> str:
    return (
        "<!doctype html><title>Another site</title>"
        f'<script type="module" src="{site}/element/index.js"></script>'
        "<realtime-call></realtime-call>"
    )


async def embed(page: Page, site: str, origin: str) -> None:
    html = html_of(site)
    await page.route(f"{origin}/", lambda route: route.fulfill(body=html, content_type="text/html"))
    await page.goto(f"{origin}/")


async def test_one_script_tag_is_enough_and_a_stranger_is_refused_in_words(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await embed(page, stack.url, ELSEWHERE)
        await page.locator("#start").click()
        await expect(page.locator("#stop")).to_be_visible()
        await emulator.live_calls(1)
        await page.locator("#stop").click()
        await emulator.live_calls(0)

        await embed(page, stack.url, STRANGER)
        await page.locator("#start").click()
        problem = page.locator("#problem")
        await expect(problem).to_have_attribute("data-code", "origin_not_allowed")
        await expect(problem).to_be_visible()
        await expect(problem).to_contain_text(STRANGER)
        assert (await emulator.state())["live_calls"] == 0


async def test_firefox_refuses_a_stranger_in_words_too(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=html_of(stack.url), content_type="text/html")

    app = web.Application()
    app.router.add_get("/", serve)
    async with running(app) as url:
        page = await firefox_browser.open_page(url, firefox_microphone.SCRIPT)
        await page.click(css("#start"))
        await page.element(css("#problem[data-code=origin_not_allowed]"))
        assert (await emulator.state())["requests"]["calls"] == 0
        await page.close()
