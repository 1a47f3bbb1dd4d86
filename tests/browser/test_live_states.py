"""The page in every state of a GPT-Live call, on a pretended connection: light and dark, wide and
narrow."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.browser.pretended_calls import pretend, receive
from tests.support.accessibility import faults
from tests.support.chromium import IN_THE_ELEMENT, probed_page
from tests.support.shown import HEADLINE, record, until_shown

pytestmark = pytest.mark.asyncio(loop_scope="session")

CAPTIONS = f"{IN_THE_ELEMENT}.querySelector('#captions')"
LINES = f"{IN_THE_ELEMENT}.querySelectorAll('#captions li')"
Scheme = Literal["light", "dark"]

ENDED = {"status": "ended", "ended_by": "limit"}


def said(who: Literal["input", "output"], start_ms: int, delta: str) -> dict[str, Any]:
    return {
        "type": f"session.{who}_transcript.delta",
        "event_id": f"event_{who}_{start_ms}",
        "delta": delta,
        "start_ms": start_ms,
        "end_ms": start_ms + 200,
    }


QUESTION = (said("input", 600, "Please look up"), said("input", 1000, " the weather in London"))
ANSWER = (
    said("output", 3000, "It is dry and"),
    said("output", 3200, " eleven degrees, and tomorrow"),
)
INTERRUPTION = (said("input", 3200, "Thanks, that is"), said("input", 3400, " enough."))
DELEGATED = {
    "type": "session.delegation.created",
    "event_id": "event_d",
    "offset_ms": 1000,
    "delegation": {"id": "item_1", "type": "delegation", "target": "responses"},
}


@asynccontextmanager
async def live_page(
    stack: Stack, hearing: Hearing, scheme: Scheme = "light", width: int = 1280
) -> AsyncIterator[Page]:
    """A page whose call is live."""

    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800})
        await pretend(page, ENDED, {"X-Voice-Api": "live"})
        await page.goto(f"{stack.url}/?profile=live")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        yield page


@pytest.mark.usefixtures("axe_is_here")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
async def test_every_state_is_told_and_accessible(
    scheme: Scheme, width: int, stack: Stack, hearing: Hearing
) -> None:
    async with live_page(stack, hearing, scheme, width) as page:
        await record(page, HEADLINE)
        await receive(page, *QUESTION)
        await until_shown(page, HEADLINE, "You are speaking.")
        await receive(page, DELEGATED)
        await until_shown(page, HEADLINE, "Looking that up…")
        assert await faults(page) == []

        await receive(page, *ANSWER)
        await until_shown(page, HEADLINE, "Answering.")
        captions = page.locator("#captions li")
        await expect(captions).to_have_count(2)
        await receive(page, *INTERRUPTION)
        await expect(captions).to_have_count(3)
        await expect(captions.nth(1)).to_have_attribute("data-interrupted", "")
        await expect(captions.nth(2).locator(".words")).to_have_text("Thanks, that is enough.")
        assert await faults(page) == []

        await receive(page, {"type": "session.paused", "event_id": "event_p"})
        await expect(page.locator("#connection")).to_have_text("On standby")
        await expect(page.locator("#advice")).to_contain_text("Speak, and the call goes on")
        assert await faults(page) == []
        await receive(page, {"type": "session.resumed", "event_id": "event_r"})
        await expect(page.locator("#connection")).to_have_text("Connected")

        await page.evaluate("pretended.become('disconnected')")
        await expect(page.locator("#connection")).to_have_text("Interrupted")
        await page.evaluate("pretended.become('connected')")
        await expect(page.locator("#connection")).to_have_text("Connected")

        await receive(page, {"type": "session.input_audio.muted", "event_id": "event_m"})
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "muted")
        await expect(page.locator("#microphone")).to_contain_text("muted by the operator")
        assert await faults(page) == []

        await receive(page, {"type": "error", "event_id": "event_e", "error": {"message": "No."}})
        await expect(page.locator("#problem")).to_contain_text("The call goes on.")
        await page.evaluate("pretended.channel.onclose()")
        await expect(page.locator("#advice")).to_contain_text("The call reached its time limit")
        await expect(captions).to_have_count(3)
        assert await faults(page) == []


async def test_a_line_that_does_not_change_keeps_its_place_in_the_document(
    stack: Stack, hearing: Hearing
) -> None:
    async with live_page(stack, hearing) as page:
        captions = page.locator("#captions li")
        await receive(page, *QUESTION, *ANSWER)
        await expect(captions).to_have_count(2)
        await page.evaluate(f"window.kept = [...{LINES}]")
        await receive(page, said("output", 3400, " it rains."))
        await expect(captions.nth(1)).to_contain_text("tomorrow it rains.")
        kept = f"kept.every((item, at) => item === {LINES}[at])"
        assert await page.evaluate(kept)


async def test_the_last_line_stays_in_view_where_room_is_lost(
    stack: Stack, hearing: Hearing
) -> None:
    async with live_page(stack, hearing, width=390) as page:
        sentences = [said("output", 3000 * at, f" Sentence {at}.") for at in range(1, 40)]
        await receive(page, *sentences)
        last = page.locator("#captions li").last
        await expect(last).to_contain_text("Sentence 39.")
        await page.set_viewport_size({"width": 390, "height": 600})
        at_the_end = f"""() => {{
          const {{ scrollHeight, scrollTop, clientHeight }} = {CAPTIONS};
          return scrollHeight > clientHeight && scrollHeight - scrollTop - clientHeight < 2;
        }}"""
        await page.wait_for_function(at_the_end)
        await page.evaluate(f"{CAPTIONS}.scrollTop = 0")
        await page.set_viewport_size({"width": 390, "height": 500})
        await receive(page, said("output", 120_000, " Sentence 40."))
        await expect(last).to_contain_text("Sentence 40.")
        assert await page.evaluate(f"{CAPTIONS}.scrollTop") == 0


SHRINK = f"""async (data) => {{
  const log = {CAPTIONS};
  pretended.channel.onmessage({{ data }});
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  log.style.maxHeight = '60px';
}}"""
"""Takes room from the lines between the drawing of one and the event of the scrolling to it."""


async def test_the_last_line_stays_in_view_where_room_is_lost_as_it_comes(
    stack: Stack, hearing: Hearing
) -> None:
    async with live_page(stack, hearing, width=390) as page:
        await receive(page, *(said("output", 3000 * at, f" Sentence {at}.") for at in range(1, 40)))
        last = page.locator("#captions li").last
        await expect(last).to_contain_text("Sentence 39.")
        await page.evaluate(SHRINK, json.dumps(said("output", 120_000, " Sentence 40.")))
        await expect(last).to_contain_text("Sentence 40.")
        await expect(last).to_be_in_viewport()
        hidden = f"{CAPTIONS}.scrollHeight - {CAPTIONS}.scrollTop - {CAPTIONS}.clientHeight"
        await page.wait_for_function(f"() => {hidden} < 2")


async def test_text_is_told_to_be_context_and_taken_back_where_it_is_not_allowed(
    stack: Stack, hearing: Hearing
) -> None:
    async with live_page(stack, hearing) as page:
        field = page.get_by_role("textbox", name="Text for the assistant")
        await expect(page.locator("#text-note")).to_contain_text("may say nothing about it")
        await field.fill("My order is 1002.")
        await field.press("Enter")
        await expect(field).to_have_value("")
        line = page.locator("#captions li[data-who=user] .words")
        await expect(line).to_have_text("My order is 1002.")
        (sent,) = await page.evaluate("pretended.sent")
        assert (sent["type"], sent["delegation_id"]) == ("session.thinking.append", None)
        assert "My order is 1002." in sent["content"]
        error = {"code": "event_not_allowed", "client_event_id": sent["event_id"]}
        await receive(page, {"type": "error", "event_id": "event_e", "error": error})
        await expect(page.locator("#problem")).to_have_attribute("data-code", "text_refused")
        await expect(line).to_have_count(0)
        await expect(field).to_be_hidden()


STOP = """(button, data) => {
  button.click();
  const sent = pretended.sent.map(({ type }) => type);
  pretended.channel.onmessage({ data });
  return sent;
}"""
"""Leaves; the other side closes the session at once, before the page has waited long enough."""


async def test_mute_and_leaving_are_told_to_the_server(stack: Stack, hearing: Hearing) -> None:
    async with live_page(stack, hearing) as page:
        await page.get_by_role("button", name="Mute").click()
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "muted")
        hung_up: list[str] = []
        page.on("request", lambda request: hung_up.append(request.url))
        closed = json.dumps({"type": "session.closed", "event_id": "event_c"})
        sent = await page.get_by_role("button", name="Stop").evaluate(STOP, closed)
        assert sent == ["session.input_audio.mute", "session.close"]
        await expect(page.locator("#advice")).to_contain_text("You hung up")
        assert [url.rsplit("/", 1)[1] for url in hung_up] == ["hangup"]
