"""From the end of what the caller says to the first sound of the answer: our page, beside a bare
one that has a peer connection, an audio element and nothing else.

Real Chromium, the whole stack of `dev.py up`, and the emulator, which hears, recognises and speaks
as it does for every caller. How long it thinks depends on what else the machine does, and is no
page's: it is measured by the events that say so, and taken off. Both pages hold a call, and ask in
turns. The sound is that of the tab as it goes to the loudspeaker (`bench/pages/first_sound.js`),
not that of the track, so that whatever a page does with it counts.
"""

from __future__ import annotations

import array
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.contenders.servers import Log
from bench.harness.browser import why_no_browser
from bench.measure.page import FILES, KEY_SECONDS, LIMIT
from bench.measure.requests import MS
from bench.report.stats import medians, ratio
from local.up import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

OURS, BARE = NAMES = ("page", "bare page")
SAID = "hello.wav"
FROM, TO = 0.2, 1.1
"""Seconds of it: from the first loud sample to a loud one, so that its end is the speech's end."""
SCRIPT = {"rules": [{"words": [], "say": "Yes."}]}
FLAGS = ("--auto-accept-this-tab-capture", "--autoplay-policy=no-user-gesture-required")


async def run(log: Log, *, rounds: int) -> dict[str, Any]:
    """Medians over `rounds` turns of each page; `skipped` says why there are none."""
    if reason := why_no_browser(log):
        return {"skipped": reason}
    from tests.support.emulated import Emulator

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        limits = {"LIMIT_STARTS_PER_MINUTE": "0", "LIMIT_LIVE_CALLS": "0"}
        running = await enter(Stack(env={**limits, "TOKEN_SECONDS": KEY_SECONDS}))
        http = await enter(aiohttp.ClientSession())
        await Emulator(http, running.emulator_url).change(SCRIPT)
        browser = await enter(sounding_browser())
        pages = {
            OURS: await open_call(browser, running.url, "/"),
            BARE: await open_call(browser, running.url, "/floor.html"),
        }
        seen = await measure_turns(log, pages, rounds)
        return summarise(seen, browser.version)


@asynccontextmanager
async def sounding_browser() -> AsyncIterator[Browser]:
    """A browser whose tabs sound, as those of tests do not."""
    from playwright.async_api import async_playwright

    from tests.support import chromium

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.executable(),
            args=[*chromium.FLAGS, *FLAGS],
            ignore_default_args=["--mute-audio"],
        )
        try:
            yield browser
        finally:
            await browser.close()


async def open_call(browser: Browser, url: str, path: str) -> Page:
    """A tab with a call under way that listens to itself.

    Its content and permissions policies are lifted for that. Motion is reduced, for both alike:
    drawing sixty times a second without a GPU takes half of a core from the emulator.
    """
    tab = await browser.new_page(bypass_csp=True, reduced_motion="reduce")
    tab.set_default_timeout(LIMIT / MS)
    await tab.add_init_script((FILES / "first_sound.js").read_text(encoding="utf-8"))
    address = url.rstrip("/") + path

    async def answer(route: Route) -> None:
        if path != "/":
            html = (FILES / path.removeprefix("/")).read_text(encoding="utf-8")
            await route.fulfill(body=html, content_type="text/html")
            return
        response = await route.fetch()
        headers = {k: v for k, v in response.headers.items() if k != "permissions-policy"}
        await route.fulfill(response=response, headers=headers)

    await tab.route(address, answer)
    await tab.goto(address, wait_until="networkidle")
    await tab.locator("#start").click()
    await tab.evaluate("sound.open()")
    return tab


async def measure_turns(
    log: Log, pages: Mapping[str, Page], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Each page is first as often as the other; one turn of each before counts for nothing."""
    speech = said()
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in pages}
    for number in range(-1, rounds):
        for name in NAMES if number % 2 else NAMES[::-1]:
            tab = pages[name]
            await tab.bring_to_front()
            found = dict(await tab.evaluate("(said) => sound.ask(...said)", list(speech)))
            found["page_ms"] = found["first_ms"] - found["model_ms"]
            if number >= 0:
                seen[name].append(found)
        if number >= 0:
            last = (
                f"{name} {each[-1]['first_ms']:.0f} ms, {each[-1]['model_ms']:.0f} the model's"
                for name, each in seen.items()
            )
            log(f"  {number + 1}/{rounds} end of speech to first sound: {'; '.join(last)}")
    for tab in pages.values():
        await tab.locator("#stop").click()
    return seen


def said() -> tuple[list[int], int]:
    """The samples of an utterance and their rate."""
    from tests.support.voice import SPEECH, read_wav

    pcm, rate = read_wav(SPEECH / SAID)
    return list(array.array("h", pcm)[int(FROM * rate) : int(TO * rate)]), rate


def summarise(seen: Mapping[str, Sequence[Mapping[str, float]]], version: str) -> dict[str, Any]:
    pages = {name: medians(each) for name, each in seen.items()}
    return {
        "skipped": "",
        "rounds": len(seen[OURS]),
        "browser": version,
        "pages": pages,
        "ratio": ratio(pages[OURS]["page_ms"], pages[BARE]["page_ms"]),
    }
