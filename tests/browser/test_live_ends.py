"""How GPT-Live calls of the page end without Stop: by leaving it, by the service, at the limit."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from local.stack import Stack
from tests.browser.conftest import Hearing, emulator_of
from tests.browser.live_page import calling, stop
from tests.support.chromium import MIC_TRACKS
from tests.support.emulated import Emulator

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_leaving_the_page_ends_the_session(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await live_emulator.live_sessions(1)
        await page.goto("about:blank")
        await live_emulator.live_sessions(0)


async def test_a_session_that_expires_goes_on_in_another_one(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        (session,) = await live_emulator.observed_sessions(1)
        await live_emulator.end_session(session, "expired")

        def goes_on(state: dict[str, Any]) -> bool:
            newest = state["sessions"][0]
            return bool(newest["live"] and newest["connected"] and newest["id"] != session)

        await live_emulator.until(goes_on, "in another session")
        await expect(page.locator("#connection")).to_have_text("Connected")
        assert await page.evaluate(MIC_TRACKS) == ["live"]
        await stop(page)
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


async def test_the_service_ends_a_session(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        (session,) = await live_emulator.observed_sessions(1)
        await live_emulator.end_session(session, "content")
        await expect(page.locator("#headline")).to_have_text("The call has ended.")
        await expect(page.locator("#advice")).to_contain_text("safety filter")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


async def test_at_its_limit(hearing: Hearing) -> None:
    async with (
        Stack(env={"LIMIT_CALL_SECONDS": "10"}) as stack,
        emulator_of(stack),
        calling(stack, hearing, "live") as page,
    ):
        await expect(page.locator("#headline")).to_have_text("The call has ended.")
        await expect(page.locator("#advice")).to_contain_text("The call reached its time limit")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
