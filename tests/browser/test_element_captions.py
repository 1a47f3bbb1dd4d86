"""What the lines of a conversation look like in `<realtime-call>`, as they come and change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.browser.pretended_calls import CALL, calling, item, receive
from tests.support.chromium import IN_THE_ELEMENT

pytestmark = pytest.mark.asyncio(loop_scope="session")


def answered(text: str) -> dict[str, Any]:
    return {
        "type": "response.output_audio_transcript.delta",
        "item_id": "item_1",
        "response_id": "response_1",
        "content_index": 0,
        "delta": text,
    }


async def test_what_was_not_heard_is_struck_and_a_new_language_keeps_the_call(
    stack: Stack, browser: Browser
) -> None:
    async with calling(stack, browser) as page:
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


async def test_a_picture_beside_the_voice(stack: Stack, browser: Browser) -> None:
    async with calling(stack, browser) as page:
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


async def test_a_flood_of_lines_leaves_time_for_the_user(stack: Stack, browser: Browser) -> None:
    """Each event draws nothing by itself: many are drawn at once."""
    async with calling(stack, browser) as page:
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
