"""A real browser with a recording for a microphone."""

from __future__ import annotations

import array
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.support.patience import PATIENCE
from tests.support.voice import RATE

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "msedge",
    "microsoft-edge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
NEEDLESS = (
    # A page that a test fulfils has no address, so its calls to the emulator look like calls from
    # the internet into the local network.
    "LocalNetworkAccessChecks",
    # Each page has a window, headless too, and each window renderers for its address bar and one to
    # spare: two thirds of what a new page costs; measured with 156.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess"),
)
"""Features of the browser. This list replaces that of Playwright: the last one counts."""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--allow-loopback-in-peer-connection",
    f"--disable-features={','.join(NEEDLESS)}",
)
REFUSED = "--deny-permission-prompts"
GRANTED = "--use-fake-ui-for-media-stream"

PROBES = """
window.probes = { connections: [], tracks: [], violations: [] };
document.addEventListener('securitypolicyviolation', (event) =>
  window.probes.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    window.probes.connections.push(this);
  }
};
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const device = await open(wanted);
  const stream = window.speaks ? withVoice(device) : device;
  window.probes.tracks.push(...stream.getTracks());
  return stream;
};
let context, microphone;
const withVoice = (device) => {
  context = new AudioContext();
  microphone = context.createMediaStreamDestination();
  context.createMediaStreamSource(device).connect(microphone);
  return microphone.stream;
};
window.probes.say = (samples, rate) => new Promise((resolve) => {
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(microphone);
  source.onended = resolve;
  source.start();
});
window.probes.energy = async () => {
  let energy = 0;
  // An element prepares a connection for its next call: that one has no other side.
  const newest = window.probes.connections.findLast(({ remoteDescription }) => remoteDescription);
  for (const entry of (await newest.getStats()).values()) {
    if (entry.type === 'inbound-rtp') energy = entry.totalAudioEnergy ?? 0;
  }
  return energy;
};
"""
"""What tests can ask about WebRTC in any page."""

IN_THE_ELEMENT = "document.querySelector('realtime-call').shadowRoot"
"""What selectors in a script do not reach by themselves, as Playwright's do."""

INSIDE = """(element) => {
  const { top, bottom, left, right } = element.getBoundingClientRect();
  return top >= 0 && left >= 0 && bottom <= innerHeight + 1 && right <= innerWidth + 1;
}"""
"""Whether the whole of an element is in the window."""

MIC_TRACKS = "probes.tracks.map((track) => track.readyState)"
"""The states of the microphone's tracks."""


def executable() -> str | None:
    """The first Chromium, Chrome or Edge of this machine."""
    on_path = (shutil.which(name) for name in NAMES)
    placed = (place for place in PLACES if Path(place).is_file())
    return next((found for found in on_path if found), None) or next(placed, None)


def skip_if_missing() -> None:
    """Skips the test that runs."""
    if executable() is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine")


@asynccontextmanager
async def hearing(recording: Path | None) -> AsyncIterator[Browser]:
    """A browser whose microphone plays `recording`, once or for ever; None: one that denies
    access to the microphone."""
    flags = [REFUSED] if recording is None else [GRANTED, *playing(recording)]
    async with launched(*flags) as browser:
        yield browser


@asynccontextmanager
async def asking(recording: Path) -> AsyncIterator[Browser]:
    """A browser whose microphone plays `recording`; `permit` says whether a page may use it."""
    async with launched(*playing(recording)) as browser:
        yield browser


def playing(recording: Path) -> list[str]:
    return [f"--use-file-for-fake-audio-capture={recording}%noloop"]


@asynccontextmanager
async def launched(*more: str) -> AsyncIterator[Browser]:
    flags = [*FLAGS, "--use-fake-device-for-media-stream", *more]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), headless=True, args=flags
        )
        try:
            yield browser
        finally:
            await browser.close()


async def probed_page(browser: Browser, *, speaks: bool = False, motion: bool = False) -> Page:
    """A page with `window.probes`. With `speaks`, its microphone is that of `say` too.

    Without `motion` the voices are drawn when they change: sixty times a second, without a GPU,
    takes half of a processor.
    """
    page = await browser.new_page(reduced_motion="no-preference" if motion else "reduce")
    page.set_default_timeout(1000 * PATIENCE)
    if speaks:
        await page.add_init_script("window.speaks = true;")
    await page.add_init_script(PROBES)
    return page


async def permit(page: Page, setting: str) -> None:
    """Has the user allow the microphone (`granted`), forbid it (`denied`) or think (`prompt`).

    It holds as long as the session with the browser: the page's life.
    """
    devtools = await page.context.new_cdp_session(page)
    target = (await devtools.send("Target.getTargetInfo"))["targetInfo"]
    wanted = {"permission": {"name": "microphone"}, "setting": setting}
    of = {"origin": page.url, "browserContextId": target["browserContextId"]}
    await devtools.send("Browser.setPermission", {**wanted, **of})


async def say(page: Page, utterance: bytes) -> None:
    """Speaks 16 kHz mono s16le into the page's microphone, now; returns when it has been said.

    A test that speaks when the call is ready to listen depends on no clock: a recording in the
    browser's fake device runs from the moment at which the page opens its microphone.
    """
    samples = array.array("h", utterance)
    await page.evaluate("([samples, rate]) => probes.say(samples, rate)", [list(samples), RATE])
