"""Our page in a real Firefox: clicks, keys, permission, the meter, a spoken turn."""

from __future__ import annotations

import asyncio

import pytest

from local.stack import Stack
from tests.support import firefox_microphone
from tests.support.bidi import Connection, Page, css
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

START, STOP, MUTE = css("#start"), css("#stop"), css("#mute")
CONNECTION, PROBLEM, MICROPHONE = css("#connection"), css("#problem"), css("#microphone")
LEVEL = """() => Number(
  document.querySelector('realtime-call').shadowRoot.querySelector('#microphone')
    .style.getPropertyValue('--level'))"""
FOCUSED = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one?.id ?? '';
}"""


async def open_page(browser: Connection, stack: Stack) -> Page:
    return await browser.open_page(stack.url, firefox_microphone.SCRIPT)


async def test_a_spoken_turn_muted_and_stopped(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await open_page(firefox_browser, stack)
    await page.click(START)
    await page.wait_for_text(CONNECTION, "Connected")
    assert await page.evaluate(LEVEL) == 0
    moving = asyncio.create_task(page.wait_for(f"() => ({LEVEL})() > 0"))
    await firefox_microphone.say(page, *utterances("hello.wav"))
    await moving
    await page.wait_for_text(css("#captions"), "Hello! How can I help you today?")
    await page.click(MUTE)
    await page.element(css("#microphone[data-state=muted]"))
    await page.click(STOP)
    await page.wait_for_text(css("#advice"), "You hung up")
    await page.element(css("#microphone[data-state=off]"))
    assert await page.evaluate("() => probes.tracks.map((track) => track.readyState)") == ["ended"]
    await emulator.live_calls(0)
    await page.close()


async def test_the_microphone_is_refused_and_then_granted(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await open_page(firefox_browser, stack)
    async with firefox_microphone.refused(firefox_browser):
        await page.click(START)
        await page.element(css("#problem[data-code=microphone_denied]"))
        assert (await emulator.state())["requests"]["calls"] == 0
    await page.click(START)
    await page.wait_for_text(CONNECTION, "Connected")
    await page.click(STOP)
    await page.wait_for_text(css("#advice"), "You hung up")
    await page.close()


async def test_the_keyboard_alone(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await open_page(firefox_browser, stack)
    await tab_to(page, "start")
    await page.press("Enter")
    await page.wait_for_text(CONNECTION, "Connected")
    await tab_to(page, "mute", back=True)
    await page.press(" ")
    await page.element(css("#microphone[data-state=muted]"))
    await tab_to(page, "stop")
    await page.press("Enter")
    await page.wait_for_text(css("#advice"), "You hung up")
    await page.close()


async def test_two_clicks_on_start_start_one_call(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await open_page(firefox_browser, stack)
    await page.click(START, times=2)
    await page.wait_for_text(CONNECTION, "Connected")
    await page.element(css("#microphone[data-state=on]"))
    await page.click(STOP)
    await page.wait_for_text(css("#advice"), "You hung up")
    assert (await emulator.state())["requests"]["calls"] == 1
    await page.close()


async def tab_to(page: Page, wanted: str, *, back: bool = False) -> None:
    """Presses Tab until the focus is there. It does not come round: Firefox's bars come next."""
    passed = []
    while (focused := await page.evaluate(FOCUSED)) != wanted:
        passed.append(focused)
        assert len(passed) < 40, f"the keyboard does not reach {wanted}: {passed}"
        await page.press("Tab", hold="Shift" if back else "")
