"""Custom pages on realtime-call.js: the example of docs/page.md, and the class by itself."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "page.md"


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"no {language} in {DOCUMENT.name}"
    return found[1]


def answering(body: str, kind: str) -> Callable[[Route], Awaitable[None]]:
    return lambda route: route.fulfill(body=body, content_type=kind)


async def test_the_documented_example(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        for path, body, kind in (
            ("mine.html", "<!doctype html>" + example("html"), "text/html"),
            ("my-page.js", example("js"), "text/javascript"),
        ):
            await page.route(f"**/{path}", answering(body, kind))
        await page.goto(f"{stack.url}/mine.html")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#state")).to_have_text("live")
        await say(page, *utterances("hello.wav"))
        await expect(page.locator("#captions")).to_contain_text("assistant: Hello!")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#state")).to_have_text("ended")
        await emulator.live_calls(0)


DICTATE = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  globalThis.call = new RealtimeCall({ profile: 'dictation' });
  globalThis.lines = [];
  globalThis.call.on('caption', (lines) => (globalThis.lines = lines));
  return (await globalThis.call.start()).status;
}"""


async def test_a_page_that_dictates(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    """Its captions are what was said; nobody answers."""
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(stack.url)
        assert await page.evaluate(DICTATE) == "live"
        await say(page, *utterances("hello.wav"))
        await page.wait_for_function("() => lines.some((line) => line.final && line.text)")
        said = await page.evaluate("() => lines.map(({ who, text }) => [who, text])")
        assert [who for who, _ in said] == ["user"]
        assert "hello" in said[0][1].lower()
        await page.evaluate("() => call.stop()")
        await emulator.live_calls(0)


HOLD_A_WRITTEN_CALL = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const call = new RealtimeCall({ levelInterval: 20 });
  const level = new Promise((resolve) => call.on('level', resolve));
  const answered = new Promise((resolve) =>
    call.on('caption', (lines) => {
      if (lines.length === 2 && lines.every((line) => line.final)) resolve(lines);
    }),
  );
  const { status } = await call.start();
  call.sendText('hello');
  const lines = await answered;
  const levels = Object.keys(await level);
  await call.stop();
  return { status, lines: lines.map(({ who, text }) => [who, text]), levels, last: call.state };
}"""


async def test_a_written_turn(stack: Stack, emulator: Emulator, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        seen = await page.evaluate(HOLD_A_WRITTEN_CALL)
        assert seen["status"] == "live"
        assert seen["lines"] == [
            ["user", "hello"],
            ["assistant", "Hello! How can I help you today?"],
        ]
        assert seen["levels"] == ["microphone", "answer"]
        assert seen["last"]["reason"] == "stopped"
        await emulator.live_calls(0)
