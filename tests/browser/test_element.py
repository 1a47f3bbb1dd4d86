"""What `<realtime-call>` and our page around it show, on a pretended connection."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from local.stack import Stack
from tests.browser.test_live_states import PRETEND, receive
from tests.contract.record.conftest import poll_until
from tests.support import chromium
from tests.support.chromium import IN_THE_ELEMENT, MIC_TRACKS, PROBES

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOMEBODY = {"userDetails": "ada@example.com", "userRoles": ["authenticated"]}
CALL = "document.querySelector('realtime-call').call"
DRAWN = f"""() => {{
  const canvas = {IN_THE_ELEMENT}.querySelector('canvas');
  const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}}"""
"""How much of the voices' canvas is painted."""

LOUD = f"""() => {CALL}.dispatchEvent(
  new CustomEvent('level', {{ detail: {{ microphone: 0.2, answer: 0.2 }} }}))"""
NO_CLIPBOARD = """() => {
  navigator.clipboard.writeText = () => Promise.reject(new Error());
}"""
INSIDE = """(button) => {
  const { top, bottom, left, right } = button.getBoundingClientRect();
  return top >= 0 && left >= 0 && bottom <= innerHeight + 1 && right <= innerWidth + 1;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser(silence: Path) -> AsyncIterator[Browser]:
    """One for all: none of these calls is heard."""
    if chromium.executable() is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine")
    async with chromium.hearing(silence) as running:
        yield running


async def pretend(context: BrowserContext) -> Page:
    """A page with a connection that connects at once, over which the Realtime API is spoken."""

    async def connect(route: Route) -> None:
        headers = {"Content-Type": "application/sdp", "Location": "calls/h"}
        if route.request.method == "POST":
            await route.fulfill(status=201, headers=headers, body="v=0\r\n")
        else:
            await route.fulfill(status=204)

    page = await context.new_page()
    await page.add_init_script(PROBES)
    await page.add_init_script(PRETEND)
    await page.route("**/.auth/me", lambda route: route.fulfill(json={"clientPrincipal": SOMEBODY}))
    await page.route("**/api/connect*", connect)
    await page.route("**/api/calls/h*", lambda route: route.fulfill(json={"status": "live"}))
    await page.route("**/api/calls/h/hangup", lambda route: route.fulfill(status=204))
    return page


@asynccontextmanager
async def opened(stack: Stack, browser: Browser, **context: Any) -> AsyncIterator[Page]:
    page = await pretend(await browser.new_context(**context))
    await page.goto(stack.url)
    await expect(page.locator("#start")).to_be_visible()
    yield page
    await page.context.close()


async def start(page: Page) -> None:
    await page.locator("#start").click()
    await expect(page.locator("#connection")).to_have_text("Connected")


def item(number: int, who: str) -> dict[str, Any]:
    return {
        "type": "conversation.item.added",
        "item": {"id": f"item_{number}", "type": "message", "role": who, "content": []},
    }


def answered(text: str) -> dict[str, Any]:
    return {
        "type": "response.output_audio_transcript.delta",
        "item_id": "item_1",
        "response_id": "response_1",
        "content_index": 0,
        "delta": text,
    }


async def test_idle_says_what_this_is_who_is_signed_in_and_what_to_try(
    stack: Stack, browser: Browser
) -> None:
    async with opened(stack, browser, color_scheme="light") as page:
        for words in ("What this is", "Try saying", "Signed in as ada@example.com."):
            await expect(page.get_by_text(words)).to_be_visible()
        assert await page.evaluate(DRAWN) > 0
        await page.get_by_role("button", name="Settings").click()
        await page.get_by_label("Dark").check()
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        dark = await page.evaluate(ground)
        await page.keyboard.press("Escape")
        await page.locator("#language").select_option("ru")
        await expect(page.locator("#headline")).to_have_text("Можно начинать.")
        await page.reload()
        await expect(page.locator("#headline")).to_have_text("Можно начинать.")
        assert await page.evaluate(ground) == dark, "neither is remembered"
        assert await page.evaluate("document.documentElement.lang") == "ru"
        assert await page.evaluate("probes.violations") == []


async def test_a_late_language_does_not_replace_its_successor(
    stack: Stack, browser: Browser
) -> None:
    arrives = asyncio.Event()

    async def late(route: Route) -> None:
        await arrives.wait()
        await route.continue_()

    async with opened(stack, browser) as page:
        await page.route("**/languages/ru/*.js", late)
        await page.locator("#language").select_option("ru")
        await page.locator("#language").select_option("es")
        await expect(page.locator("#settings")).to_have_text("Ajustes")
        arrives.set()
        await page.evaluate("import('/languages/ru/page.js')")
        await page.evaluate("new Promise(requestAnimationFrame)")
        await expect(page.locator("#settings")).to_have_text("Ajustes", timeout=1)
        assert await page.evaluate("document.documentElement.lang") == "es"


async def test_one_gesture_has_one_meaning(stack: Stack, browser: Browser) -> None:
    """A double click on Start starts a call, and does no more, with the mouse and the keyboard."""
    async with opened(stack, browser, viewport={"width": 390, "height": 844}) as page:
        await page.locator("#start").dblclick()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(page.locator("#microphone")).to_have_attribute("data-state", "on")
        await page.locator("#stop").click()
        await expect(page.locator("#headline")).to_have_text("The call has ended.")
        await page.locator("#start").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#stop")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#connection")).to_have_text("Connected")


async def test_what_was_not_heard_is_struck_and_a_new_language_keeps_the_call(
    stack: Stack, browser: Browser
) -> None:
    async with opened(stack, browser) as page:
        await start(page)
        await receive(page, item(1, "assistant"), answered("One"))
        words = page.locator("#captions li .words")
        await expect(words).to_have_text("One")
        await page.evaluate(
            f"window.kept = {IN_THE_ELEMENT}.querySelector('#captions .words').firstChild"
        )
        await receive(page, answered(" two three four."))
        await expect(words).to_have_text("One two three four.")
        same = f"kept === {IN_THE_ELEMENT}.querySelector('#captions .words').firstChild"
        assert await page.evaluate(same), "a delta replaced what was there"
        line = {
            "id": "item_1",
            "who": "assistant",
            "text": "One two three four.",
            "final": True,
            "interrupted": True,
            "heard": "One two",
            "unheard": " three four.",
        }
        show = "(line) => document.querySelector('realtime-call').call.dispatchEvent("
        await page.evaluate(f"{show}new CustomEvent('caption', {{ detail: [line] }}))", line)
        await expect(page.locator("#captions s")).to_have_text("three four.")
        await expect(words).to_have_text("One two")
        await page.locator("#language").select_option("es")
        await expect(page.locator("#connection")).to_have_text("En llamada")
        assert await page.evaluate(f"{CALL}.state.status") == "live"
        await receive(page, item(2, "user"))
        await expect(page.locator("#captions li")).to_have_count(2)
        await page.locator("#stop").click()
        # What has not been transcribed by now will not be.
        await expect(page.locator("#captions li")).to_have_count(1)


async def test_the_drawer_of_events(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        await start(page)
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


async def test_motion_that_is_not_wanted_leaves_a_meter(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser, reduced_motion="reduce") as page:
        await start(page)
        loud, quiet = f"({LOUD})()", f"({LOUD})()".replace("0.2", "0")
        drawn = f"({DRAWN})()"
        before, after = await page.evaluate(f"[({loud}, {drawn}), ({quiet}, {drawn})]")
        assert after < before


async def test_large_letters_on_a_phone_leave_stop_in_sight(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser, viewport={"width": 390, "height": 844}) as page:
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await start(page)
        await expect(page.locator("#stop")).to_be_visible()
        assert await page.locator("#stop").evaluate(INSIDE)
        wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert await page.evaluate(wider) is False


async def test_an_error_is_not_in_the_colour_of_what_works(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser) as page:
        problem = {
            "code": "upstream_quota",
            "title": "",
            "detail": "No capacity.",
            "request_id": "r1",
        }
        body = json.dumps(problem)
        await page.route(
            "**/api/connect*",
            lambda route: route.fulfill(
                status=503, content_type="application/problem+json", body=body
            ),
        )
        await page.locator("#start").click()
        colour = "(one) => getComputedStyle(one).backgroundColor"
        said = page.locator("#problem")
        await expect(said).to_be_visible()
        assert await said.evaluate(colour) != await page.locator("#start").evaluate(colour)
        await expect(said.get_by_text("No capacity.")).to_be_hidden()
        await said.get_by_text(re.compile("For whoever runs this page")).click()
        await expect(said.get_by_text("No capacity.")).to_be_visible()
        await expect(said.get_by_text("Reference: r1")).to_be_visible()


async def test_the_microphone_is_held_left_out_and_changed(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser) as page:
        microphone = page.locator("#microphone")

        async def set_up(what: str, *, on: bool) -> None:
            await page.locator("#sound").click()
            await page.get_by_label(what).set_checked(on)
            await page.keyboard.press("Escape")

        await set_up("Hold to talk", on=True)
        await start(page)
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.keyboard.down("Space")
        await expect(microphone).to_have_attribute("data-state", "on")
        await page.keyboard.up("Space")
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.locator("#text-field").press("Space")
        await expect(page.locator("#text-field")).to_have_value(" ")
        await expect(microphone).to_have_attribute("data-state", "muted")
        await page.locator("#stop").click()

        await set_up("Hold to talk", on=False)
        await start(page)
        await page.locator("#sound").click()
        await page.locator("#microphones").select_option(index=2)
        await page.wait_for_function("() => probes.tracks.at(-2).readyState === 'ended'")
        await page.evaluate("probes.tracks.at(-1).stop()")
        await page.evaluate("probes.tracks.at(-1).dispatchEvent(new Event('ended'))")
        await expect(page.locator("#problem")).to_have_attribute("data-code", "microphone_lost")
        await expect(microphone).to_have_attribute("data-state", "off")
        await page.locator("#microphones").select_option(index=1)
        await expect(page.locator("#problem")).to_be_hidden()
        await page.locator("#microphones").select_option(index=2)
        chosen = await page.locator("#microphones").input_value()
        await page.keyboard.press("Escape")
        await page.locator("#stop").click()
        await page.locator("#sound").click()
        await expect(page.locator("#microphones")).to_have_value(chosen)
        await page.keyboard.press("Escape")

        await set_up("No microphone", on=True)
        opened_before = await page.evaluate("probes.tracks.length")
        await start(page)
        await expect(page.locator("#headline")).to_have_text("Write, and listen.")
        await expect(page.locator("#mute")).to_be_hidden()
        await expect(microphone).to_have_attribute("data-state", "off")
        assert await page.evaluate("probes.tracks.length") == opened_before


async def test_a_picture_beside_the_voice(stack: Stack, browser: Browser) -> None:
    async with opened(stack, browser) as page:
        await start(page)
        picture = await page.screenshot()
        file = page.locator("#text input[type=file]")
        await page.locator("#text-field").fill("What is this?")
        await file.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
        await page.wait_for_function("() => JSON.stringify(pretended.sent).includes('input_image')")
        assert "What is this?" in json.dumps(await page.evaluate("pretended.sent"))
        pictured = {"type": "input_image", "image_url": "data:image/jpeg;base64,AA=="}
        shown = {"id": "item_p", "type": "message", "role": "user", "content": [pictured]}
        await receive(page, {"type": "conversation.item.added", "item": shown})
        await expect(page.locator("#captions li .words")).to_have_text("Image")
        await file.set_input_files({"name": "b.png", "mimeType": "image/png", "buffer": b"none"})
        await expect(page.locator("#problem")).to_have_attribute("data-code", "image_unreadable")
        await expect(page.locator("#connection")).to_have_text("Connected")


async def test_an_element_keeps_its_call_where_it_is_moved_to_and_ends_it_where_it_is_taken_out(
    stack: Stack, browser: Browser
) -> None:
    async with opened(stack, browser) as page:
        await start(page)
        await page.evaluate("document.body.append(document.querySelector('realtime-call'))")
        await expect(page.locator("#connection")).to_have_text("Connected")
        assert await page.evaluate(MIC_TRACKS) == ["live"]
        assert await page.evaluate(f"{CALL}.state.status") == "live"
        async with page.expect_request("**/calls/h/hangup"):
            await page.evaluate("document.querySelector('realtime-call').remove()")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


async def test_what_changes_in_a_call_holds_for_the_next_and_words_outlast_a_new_language(
    stack: Stack, browser: Browser
) -> None:
    async with opened(stack, browser) as page:
        await start(page)
        await page.evaluate("document.querySelector('#call').setAttribute('profile', 'other')")
        await page.locator("#text-field").fill("not sent yet")
        await page.locator("#language").select_option("es")
        await expect(page.locator("#connection")).to_have_text("En llamada")
        await expect(page.locator("#text-field")).to_have_value("not sent yet")
        await page.locator("#stop").click()
        await expect(page.locator("#connection")).to_have_text("Sin conexión")
        refusal = {"code": "profile_not_allowed", "status": 403, "title": "", "detail": ""}
        await page.route("**/api/connect*", lambda route: route.fulfill(status=403, json=refusal))
        async with page.expect_request("**/api/connect?profile=other*"):
            await page.locator("#start").click()
        problem = page.locator("#problem")
        await expect(problem).to_have_attribute("data-code", "profile_not_allowed")
        before = await problem.inner_text()
        await page.locator("#language").select_option("zh")
        await expect(page.locator("#connection")).to_have_text("未连接")
        await expect(problem).to_be_visible()
        assert await problem.inner_text() != before


LISTENERS = """() => {
  window.listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  const count = (by) => function (...given) {
    const outside = this === window || this === document || this instanceof MediaQueryList;
    if (outside || this === navigator.mediaDevices) window.listeners += by;
    return (by > 0 ? add : remove).apply(this, given);
  };
  EventTarget.prototype.addEventListener = count(1);
  EventTarget.prototype.removeEventListener = count(-1);
  window.added = document.body.appendChild(document.createElement('realtime-call'));
}"""
"""Counts the listeners that a second element has outside of itself."""


async def test_an_element_that_is_taken_out_listens_to_nothing(
    stack: Stack, browser: Browser
) -> None:
    async with opened(stack, browser) as page:
        await page.evaluate("document.querySelector('realtime-call').remove()")
        await page.evaluate(LISTENERS)
        await page.locator("realtime-call #sound").click()
        await expect(page.locator("#sound-menu")).to_be_visible()
        await poll_until(partial(page.evaluate, "listeners"), lambda count: count >= 5)
        await page.evaluate("added.remove()")
        assert await page.evaluate("listeners") == 0


async def test_a_flood_of_lines_leaves_time_for_the_user(stack: Stack, browser: Browser) -> None:
    """Each event draws nothing by itself: many are drawn at once."""
    async with opened(stack, browser) as page:
        await start(page)
        words = {"type": "output_text", "text": "<img src=x> word " * 500}
        message = {"type": "message", "role": "assistant", "content": [words]}
        flood = f"""(message) => {{
          const list = {IN_THE_ELEMENT}.querySelector('#captions ol');
          let drawn = 0;
          new MutationObserver(() => (drawn += 1)).observe(list, {{ childList: true }});
          const type = 'conversation.item.added';
          for (let at = 0; at < 300; at += 1) {{
            const item = {{ ...message, id: `item_${{at}}` }};
            pretended.channel.onmessage({{ data: JSON.stringify({{ type, item }}) }});
          }}
          const atOnce = list.childElementCount;
          return new Promise((done) =>
            requestAnimationFrame(() => setTimeout(() => done([atOnce, drawn]))));
        }}"""
        assert await page.evaluate(flood, message) == [0, 1]
        await expect(page.locator("#captions li")).to_have_count(300)
        await expect(page.locator("#captions img")).to_have_count(0)
