"""From the click to the open data channel: our page, one that does each step after the last, and
the floor, where all that can be is done before the click.

Real Chromium with a microphone that plays silence, the whole stack of `dev.py up` behind it, and
the emulator as the model's endpoint, with a set latency on both routes that a call begins with. The
pages take turns, each stays loaded, and each has held a call before it is measured. What a page did
when is marked from outside it (`bench/pages/marks.js`), in the same way for all of them.
"""

from __future__ import annotations

import asyncio
import tempfile
import wave
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.contenders.servers import LATENCY, Log
from bench.harness.browser import why_no_browser
from bench.measure.requests import MS
from bench.report.stats import medians, ratio
from local.up import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

    from tests.support.emulated import Emulator

LIMIT = timedelta(seconds=20)
FILES = Path(__file__).parents[1] / "pages"
ARTICLE, OURS, OURS_BY_TOKEN, FLOOR = NAMES = ("article", "page", "page, by /token", "floor")
FILED = {ARTICLE: "article.html", FLOOR: "floor.html"}
"""The pages that are not the site's."""
KEY_SECONDS = "120"
"""The floor's key waits for its turn."""
STEPS = {
    "before": "posted",
    "answer": "answered",
    "ice": "ice",
    "dtls": "dtls",
    "channel": "open",
}
"""The steps of every call, in order, with the mark that ends each. They add up to the whole."""
PREPARATIONS = {
    "key": ("key asked", "key"),
    "microphone": ("microphone asked", "microphone"),
    "offer": ("click", "offer"),
}
"""What is done before the offer is posted, perhaps at the same time, with its two marks."""


@dataclass(frozen=True, slots=True)
class LoadedPage:
    """One page, in a tab of its own."""

    name: str
    tab: Page


def durations(marks: Mapping[str, float]) -> dict[str, float]:
    """Where the time of one call went. Takes the marks of a page in ms, gives ms.

    `open_ms` is the whole, from the click; each of `STEPS` is the time since the step before, each
    of `PREPARATIONS` the time it took by itself. Raises KeyError for a step that was not marked.
    """
    found = {"open_ms": marks["open"] - marks["click"]}
    # The browser reports each state in a task of its own, so two may come in the wrong order.
    before = marks["click"]
    for step, end in STEPS.items():
        at = min(max(before, marks[end]), marks["open"])
        found[f"{step}_ms"] = at - before
        before = at
    for name, (begin, end) in PREPARATIONS.items():
        if begin in marks and end in marks:
            found[f"{name}_ms"] = marks[end] - marks[begin]
    return found


def silence(folder: Path) -> Path:
    """A minute of silence, as a WAV file in `folder`."""
    path = folder / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(2 * 16_000 * 60))
    return path


async def load_page(browser: Browser, name: str, url: str) -> LoadedPage:
    """The page called `name`, loaded from the gateway at `url`, ready for the click."""
    tab = await browser.new_page()
    tab.set_default_timeout(LIMIT / MS)
    await tab.add_init_script((FILES / "marks.js").read_text(encoding="utf-8"))
    if name in FILED:
        html = (FILES / FILED[name]).read_text(encoding="utf-8")

        async def answer(route: Route) -> None:
            await route.fulfill(body=html, content_type="text/html")

        url += f"/{FILED[name]}"
        await tab.route(f"**/{FILED[name]}", answer)
    await tab.goto(url, wait_until="networkidle")
    if name == OURS_BY_TOKEN:
        await tab.get_by_text("Settings").click()
        await tab.locator("input[value=token]").check()
        await tab.keyboard.press("Escape")
    return LoadedPage(name, tab)


async def measure_call(page: LoadedPage, emulator: Emulator) -> dict[str, float]:
    """One call, from the click until nothing is left of it; where its time went, in ms."""
    await page.tab.bring_to_front()
    await page.tab.evaluate("calls.ready()")
    await page.tab.locator("#start").click()
    async with asyncio.timeout(LIMIT.total_seconds()):
        marks = await page.tab.evaluate("calls.marks()")
    await page.tab.locator("#stop").click()
    await page.tab.evaluate("calls.release()")
    await emulator.live_calls(0)
    return durations(dict(marks))


async def run(log: Log, *, clicks: int) -> dict[str, Any]:
    """Medians over `clicks` calls of each page; `skipped` says why there are none."""
    if reason := why_no_browser(log):
        return {"skipped": reason}
    from tests.support import chromium
    from tests.support.emulated import Emulator

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        limits = {"LIMIT_STARTS_PER_MINUTE": "0", "LIMIT_LIVE_CALLS": "0"}
        running = await enter(Stack(env={**limits, "TOKEN_SECONDS": KEY_SECONDS}))
        http = await enter(aiohttp.ClientSession())
        emulator = Emulator(http, running.emulator_url)
        delayed = [{"delay_seconds": LATENCY.total_seconds()}]
        await emulator.change({"faults": {"client_secrets": delayed, "calls": delayed}})
        browser = await enter(chromium.hearing(silence(Path(folder))))
        url = running.url.rstrip("/")
        pages = [await load_page(browser, name, url) for name in NAMES]
        seen = await measure_pages(log, pages, emulator, clicks)
        return summarise(seen, browser.version)


async def measure_pages(
    log: Log, pages: list[LoadedPage], emulator: Emulator, clicks: int
) -> dict[str, list[dict[str, float]]]:
    seen: dict[str, list[dict[str, float]]] = {page.name: [] for page in pages}
    for page in pages:
        await measure_call(page, emulator)
    for number in range(clicks):
        # Each is first as often as the others, so that none always follows the same one.
        turn = number % len(pages)
        for page in pages[turn:] + pages[:turn]:
            seen[page.name].append(await measure_call(page, emulator))
        last = (f"{name} {each[-1]['open_ms']:.0f} ms" for name, each in seen.items())
        log(f"  {number + 1}/{clicks} click to open channel: {', '.join(last)}")
    return seen


def summarise(seen: Mapping[str, Sequence[Mapping[str, float]]], version: str) -> dict[str, Any]:
    """Medians, the range of the whole, and what our page takes of the others' time."""
    pages = {
        name: {
            **medians(each),
            "least_open_ms": min(one["open_ms"] for one in each),
            "most_open_ms": max(one["open_ms"] for one in each),
        }
        for name, each in seen.items()
    }
    whole = {name: each["open_ms"] for name, each in pages.items()}
    return {
        "skipped": "",
        "latency_ms": LATENCY / MS,
        "clicks": len(seen[OURS]),
        "browser": version,
        "pages": pages,
        "ratio": ratio(whole[OURS], whole[ARTICLE]),
        "ratio_by_token": ratio(whole[OURS_BY_TOKEN], whole[ARTICLE]),
        "ratio_to_floor": ratio(whole[OURS], whole[FLOOR]),
    }
