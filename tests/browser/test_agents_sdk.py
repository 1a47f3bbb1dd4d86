"""@openai/agents-realtime in a real browser: against the emulator, and against the broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, TimeoutError

from local.stack import Stack
from tests.browser.conftest import ELSEWHERE, Hearing
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.patience import PATIENCE
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = Path(__file__).parent / "pages" / "agents.html"
NPM = Path(__file__).resolve().parents[1] / "npm"
BUNDLE = NPM / "node_modules" / "@openai" / "agents-realtime" / "dist" / "bundle"


@asynccontextmanager
async def agents_page(site: str, hearing: Hearing) -> AsyncIterator[Page]:
    if not BUNDLE.is_dir():
        pytest.skip("@openai/agents-realtime is not installed: run `npm ci` in tests/npm")

    async def serve(route: Route) -> None:
        await route.fulfill(path=BUNDLE / Path(route.request.url).name)

    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.route("**/agents-sdk/*", serve)
        await page.route("**/agents.html", lambda route: route.fulfill(path=PAGE))
        await page.goto(f"{site.rstrip('/')}/agents.html")
        await page.wait_for_function("window.ready")
        yield page
        assert await page.evaluate("failures") == []


async def said(page: Page, words: str) -> None:
    """Waits until the library's history has an answer that contains these words."""
    answer = "(words) => said().some((line) => /^assistant: /.test(line) && line.includes(words))"
    try:
        await page.wait_for_function(answer, arg=words, timeout=1000 * PATIENCE)
    except TimeoutError:
        raise AssertionError(f"no {words!r} in {await page.evaluate('said()')}") from None


async def test_directly_against_the_emulator(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    """A spoken turn that calls a tool on the page, a typed turn, and a hang-up."""
    async with agents_page(stack.url, hearing) as page:
        url = f"{emulator.url}/openai/v1/realtime/calls"
        call_id = await page.evaluate(
            "([url, key]) => connect(url, key)", [url, await emulator.key()]
        )
        assert call_id == (await emulator.state())["calls"][0]["id"]

        await say(page, *utterances("weather.wav"))
        await said(page, "The tool says: sunny")
        await page.evaluate("session.mute(true)")
        assert set(await page.evaluate("asked")) == {"London"}
        assert any("weather" in line for line in await page.evaluate("said()"))
        await page.wait_for_function("async () => (await probes.energy()) > 0")

        await page.evaluate("session.sendMessage('hello')")
        await said(page, "How can I help you today?")
        await page.evaluate("session.close()")
        await emulator.live_calls(0)


@pytest.mark.parametrize("origin", ["the broker's", "another"])
async def test_with_the_broker_for_a_base_url(
    stack: Stack, emulator: Emulator, hearing: Hearing, origin: str
) -> None:
    """Unchanged except for the URL; the key is a dummy, because the broker has the real one.

    Across origins the library's own header has to pass the preflight, and `Location` be readable.
    """
    async with agents_page(stack.url if origin != "another" else ELSEWHERE, hearing) as page:
        url = f"{stack.url.rstrip('/')}/api/connect?profile=agents-sdk"
        handle = await page.evaluate("(url) => connect(url, 'ek_none')", url)
        call = (await emulator.state())["calls"][0]
        assert call["filtered"] is False
        assert handle
        assert handle != call["id"], "the model's own call id reached the page"
        await page.evaluate("session.sendMessage('hello')")
        await said(page, "How can I help you today?")
        await page.evaluate("session.close()")
        await emulator.live_calls(0)
