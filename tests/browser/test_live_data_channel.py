"""What a page receives and may send on the data channel of a GPT-Live call."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.browser.live_page import calling, stop
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT_LIST = {
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.input_audio.muted",
    "session.input_audio.unmuted",
    "session.paused",
    "session.resumed",
    "session.usage.updated",
    "error",
    "info",
}
"""What a page receives of a profile that adds nothing. A contract with pages: written out here, and
not taken from the code that it holds."""

HOLD_A_CALL = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const call = new RealtimeCall({ profile: 'plain-live' });
  const events = [];
  const answered = new Promise((resolve) => {
    call.on('event', (event) => {
      events.push(event);
      if (event.type === 'session.output_transcript.delta') resolve();
    });
  });
  window.session = { call, events, answered };
  return (await call.start()).status;
}"""


async def test_what_reaches_a_page(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    """No id of the session's, no session, no instructions: neither in answers nor in events."""
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(live_stack.url)
        async with page.expect_response("**/api/connect*") as answer:
            assert await page.evaluate(HOLD_A_CALL) == "live"
        response = await answer.value
        assert response.headers["x-voice-api"] == "live"
        (session,) = (await live_emulator.state())["sessions"]
        told = json.dumps(response.headers) + await response.text()
        assert session["id"] not in told
        await say(page, *utterances("hello.wav"))
        await page.evaluate("() => session.answered")
        last = await page.evaluate("async () => (await session.call.stop(), session.call.state)")
        assert last["reason"] == "stopped"
        events = await page.evaluate("session.events")
        assert {event["type"] for event in events} <= SHORT_LIST
        assert session["id"] not in json.dumps(events)
        assert "SECRET" not in json.dumps(events)


async def test_text_that_the_sample_profile_allows(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "live") as page:
        await page.get_by_role("textbox", name="Text for the assistant").fill("Order 1002.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#captions")).to_contain_text("Order 1002.")
        await live_emulator.until(
            lambda state: "session.thinking.appended" in state["sessions"][0]["events"], "context"
        )
        await expect(page.locator("#problem")).to_be_hidden()
        await stop(page)


async def test_text_that_a_profile_does_not_allow(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await page.get_by_role("textbox", name="Text for the assistant").fill("Order 1002.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "text_refused")
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await stop(page)
