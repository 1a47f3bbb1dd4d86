"""What the page shows when a call cannot start: what happened, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from local.stack import Stack
from shared.core.problem_catalog import CATALOGUE
from tests.browser.conftest import Hearing
from tests.support import chromium
from tests.support.emulated import Emulator

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def failing(
    stack: Stack, hearing: Hearing, recording: str | None = "silence"
) -> AsyncIterator[Page]:
    """A page whose call must fail; afterwards it must have released everything."""
    async with hearing(recording) as browser:
        page = await chromium.probed_page(browser)
        await page.goto(stack.url)
        yield page
        await expect(page.locator("#problem")).to_be_visible()
        await expect(page.locator("#headline")).to_have_text("The call did not start.")
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "off")
        assert "live" not in await page.evaluate(chromium.MIC_TRACKS)


async def start(page: Page) -> None:
    await page.get_by_role("button", name="Start").click()


async def test_the_brokers_own_words(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with failing(stack, hearing) as page:
        await page.goto(f"{stack.url}?profile=nobody")
        await start(page)
        problem = page.locator("#problem")
        await expect(problem).to_have_attribute("data-code", "unknown_profile")
        await expect(problem.locator("#problem-advice")).to_contain_text("tell whoever runs it")
        await expect(problem).to_contain_text(CATALOGUE["unknown_profile"].hint)
        await expect(problem).to_contain_text("Reference: ")
        await expect(page.locator("#sign-in")).to_be_hidden()
    assert (await emulator.state())["requests"]["calls"] == 0


async def test_the_models_endpoint_fails(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    fault = {"status": 429, "code": "rate_limit_exceeded", "message": "UPSTREAM TEXT"}
    await emulator.change({"faults": {"calls": [fault] * 5}})
    async with failing(stack, hearing) as page:
        await start(page)
        problem = page.locator("#problem")
        await expect(problem).to_have_attribute("data-code", "upstream_quota")
        await expect(problem).to_contain_text("ry again")
        assert "UPSTREAM TEXT" not in await problem.inner_text()


async def test_nobody_is_signed_in(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with failing(stack, hearing) as page:
        await page.route(
            "**/api/connect",
            lambda route: route.fulfill(status=302, headers={"location": "/.auth/login/aad"}),
        )
        await start(page)
        await expect(page.locator("#problem")).to_have_attribute("data-code", "sign_in_required")
        sign_in = page.locator("#sign-in")
        await expect(sign_in).to_be_visible()
        target = "/.auth/login/aad?post_login_redirect_uri=%2F"
        await expect(sign_in).to_have_attribute("href", target)


async def test_the_key_route_fails(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with failing(stack, hearing) as page:
        await page.route("**/api/token", lambda route: route.abort())
        await page.get_by_text("Settings").click()
        await page.locator("input[value=token]").check()
        await page.keyboard.press("Escape")
        await start(page)
        await expect(page.locator("#problem")).to_have_attribute("data-code", "network_unreachable")
        await expect(page.locator("#problem")).to_contain_text("Check the network")


async def test_the_microphone_is_refused(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with failing(stack, hearing, None) as page:
        await start(page)
        await expect(page.locator("#problem")).to_have_attribute("data-code", "microphone_denied")
        await expect(page.locator("#problem")).to_contain_text("Allow it for this page")
    assert (await emulator.state())["requests"]["calls"] == 0


async def test_a_second_start_forgets_the_first_problem(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await chromium.probed_page(browser)
        await page.goto(stack.url)
        await page.route("**/api/connect", lambda route: route.abort(), times=1)
        await start(page)
        await expect(page.locator("#problem")).to_be_visible()
        await start(page)
        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(page.locator("#problem")).to_be_hidden()
        await page.get_by_role("button", name="Stop").click()
        await emulator.live_calls(0)
