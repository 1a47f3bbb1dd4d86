"""The diagnosis in real browsers: its panel, and what it finds where the network blocks UDP."""

from __future__ import annotations

import re
import socket

import pytest
from playwright.async_api import Route, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.support.accessibility import faults, load_axe
from tests.support.bidi import Connection
from tests.support.chromium import probed_page
from tests.support.emulated import Emulator
from tests.support.ice_over_tcp import Relay, ice_over_tcp

pytestmark = pytest.mark.asyncio(loop_scope="session")

HURRY = "() => { document.querySelector('call-diagnosis').options = { timeouts: { media: 6000 } } }"
COPIED = """async () => {
  let copied = '';
  Object.defineProperty(navigator, 'clipboard', {
    value: { writeText: async (text) => void (copied = text) },
  });
  await document.querySelector('call-diagnosis').copy();
  return copied;
}"""
OUTCOMES = """() => Object.fromEntries(document.querySelector('call-diagnosis').results.map(
  ({ check, outcome, text, problem }) => [check, [outcome, problem?.code ?? text ?? '']]))"""


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


async def test_the_panel_tells_what_the_network_blocks_and_what_to_do(
    stack: Stack, emulator: Emulator, hearing: Hearing
) -> None:
    dead = closed_port()

    async def answer(route: Route, relay: Relay) -> None:
        if route.request.method != "POST":
            return await route.continue_()
        response = await route.fetch()
        body = relay.offer_tcp_in(await response.text(), dead_udp=dead)
        return await route.fulfill(response=response, body=body)

    async with hearing("silence") as browser, ice_over_tcp() as relay:
        page = await probed_page(browser)
        await page.route("**/api/connect", lambda route: answer(route, relay))
        await page.goto(stack.url)
        await page.locator("#settings").click()
        await page.get_by_role("button", name="Calls not working?").click()
        await expect(page.get_by_role("button", name="Run the checks")).to_be_visible()
        await page.evaluate(HURRY)
        await page.get_by_role("button", name="Run the checks").click()
        await expect(page.get_by_role("button", name="Copy the report")).to_be_visible()
        found = await page.evaluate(OUTCOMES)
        assert found.pop("microphone") == ["warned", "silent"], "it plays a recording of silence"
        assert found.pop("ice_udp") == ["failed", "blocked"]
        assert found.pop("ice_tcp") == ["warned", "tcp_alone"]
        assert relay.connections
        assert {outcome for outcome, _ in found.values()} == {"passed"}, found
        blocked = page.locator("[data-check=ice_udp]")
        await expect(blocked).to_contain_text(f"allow outbound UDP to 127.0.0.1:{dead}")
        await load_axe(page)
        assert await faults(page) == []
        report = await page.evaluate(COPIED)
        assert f"127.0.0.1:{dead}" in report
        assert stack.url in report
        assert not re.search("calls/|ek_", report)
        await page.get_by_role("button", name="Close").click()
        await expect(page.locator("#settings")).to_be_focused()
        assert await page.evaluate("probes.violations") == []
        assert await page.evaluate("probes.tracks.every((track) => track.readyState === 'ended')")
        await emulator.live_calls(0)


async def test_checks_that_do_not_load_say_so(stack: Stack, hearing: Hearing) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.route("**/diagnosis/panel.js", lambda route: route.abort())
        await page.goto(stack.url)
        await page.locator("#settings").click()
        await page.get_by_role("button", name="Calls not working?").click()
        await expect(page.get_by_text("The checks could not be loaded.")).to_be_visible()


STOPPED = """async () => {
  const { CallDiagnosisElement } = await import('/diagnosis/panel.js');
  const panel = document.body.appendChild(new CallDiagnosisElement());
  navigator.mediaDevices.getUserMedia = () => new Promise(() => undefined);
  const over = panel.run();
  while (!panel.results.length) await new Promise(requestAnimationFrame);
  panel.stop();
  await over;
  navigator.clipboard.writeText = () => Promise.reject(new Error());
  await panel.copy();
  const text = (what) => panel.shadowRoot.querySelector(what).textContent;
  return [text('[role=status]'), text('pre')];
}"""


async def test_stopped_it_does_not_say_that_calls_work(stack: Stack, hearing: Hearing) -> None:
    """It is stopped while the browser asks for the microphone, and may not copy its report."""
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(stack.url)
        verdict, report = await page.evaluate(STOPPED)
        assert verdict == ""
        assert "[works] Page and browser" in report


DIAGNOSE = """async () => {
  const { diagnose } = await import('/diagnosis/diagnosis.js');
  const results = await diagnose();
  return results.map(({ check, outcome, text, problem }) => [
    check, outcome, problem?.code ?? text ?? '',
  ]);
}"""


async def test_firefox_finds_everything_in_order(
    stack: Stack, emulator: Emulator, firefox_browser: Connection
) -> None:
    page = await firefox_browser.open_page(stack.url)
    found = {check: (outcome, text) for check, outcome, text in await page.evaluate(DIAGNOSE)}
    assert found.pop("ice_tcp") == ("skipped", "no_candidates"), "the emulator has none"
    # It has no sound to play on a machine without a loudspeaker, such as CI's.
    assert found.pop("audio_out") in (("passed", "tone_played"), ("failed", "no_speaker"))
    assert [each for each in found.items() if each[1][0] != "passed"] == []
    await emulator.live_calls(0)
