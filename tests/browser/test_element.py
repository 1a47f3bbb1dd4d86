"""What `<realtime-call>` and our page around it show, on a pretended connection."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial

import pytest
from playwright.async_api import Browser, Route, expect

from local.stack import Stack
from tests.browser.pretended_calls import CALL, calling, opened, start
from tests.contract.record.conftest import poll_until
from tests.support.chromium import IN_THE_ELEMENT, INSIDE, MIC_TRACKS

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRAWN = f"""() => {{
  const canvas = {IN_THE_ELEMENT}.querySelector('canvas');
  const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}}"""
"""How much of the voices' canvas is painted."""

LOUD = f"""() => {CALL}.dispatchEvent(
  new CustomEvent('level', {{ detail: {{ microphone: 0.2, answer: 0.2 }} }}))"""

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
        assert await page.locator("#settings").inner_text() == "Ajustes"
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


async def test_motion_that_is_not_wanted_leaves_a_meter(stack: Stack, browser: Browser) -> None:
    async with calling(stack, browser, reduced_motion="reduce") as page:
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


async def test_an_element_keeps_its_call_where_it_is_moved_to_and_ends_it_where_it_is_taken_out(
    stack: Stack, browser: Browser
) -> None:
    async with calling(stack, browser) as page:
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
    async with calling(stack, browser) as page:
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
