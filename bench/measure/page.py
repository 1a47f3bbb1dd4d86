"""From the click to the open data channel: our page, and one that goes one step after another.

    python -m bench.measure.page [--clicks 7]

Real Chromium with a microphone that plays silence, the whole stack of `dev.py up` behind it, the
emulator as the model's endpoint with a set latency on both of its routes that a call begins with.
The pages take turns, each stays loaded, and each has held a call before it is measured. What a page
did when is marked from outside it (`bench/pages/marks.js`), for all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import wave
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.report.stats import middle, ratio
from bench.report.svg import Bar, bars
from local.up import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

    from tests.support.emulated import Emulator

LATENCY = timedelta(milliseconds=150)
WITHIN = timedelta(seconds=20)
PAGES = Path(__file__).parents[1] / "pages"
ARTICLE, PAGE, KEYED = "article", "page", "page, by /token"
STEPS = {
    "before": "posted",
    "answer": "answered",
    "ice": "ice",
    "dtls": "dtls",
    "channel": "open",
}
"""One after another in every call, with the mark that ends each: together they are the whole."""
TITLES = {
    "before": "click to offer posted",
    "answer": "offer posted to answer",
    "ice": "answer to ICE connected",
    "dtls": "ICE to DTLS connected",
    "channel": "DTLS to channel open",
}
ASIDE = {
    "key": ("key asked", "key"),
    "microphone": ("microphone asked", "microphone"),
    "offer": ("click", "offer"),
}
"""What is done before the offer is posted, perhaps at the same time: how long each takes."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """One page in a tab of its own, loaded."""

    name: str
    tab: Page


def stages(marks: Mapping[str, float]) -> dict[str, float]:
    """Where the time of one call went. Takes the marks of a page in ms, gives ms.

    `open_ms` is the whole, from the click; `STEPS` each the time since the step before; `ASIDE`
    each the time it took by itself. Raises KeyError for a step that was not marked.
    """
    found = {"open_ms": marks["open"] - marks["click"]}
    # The browser tells of a state in a task of its own, so it may tell of two in the wrong order.
    before = marks["click"]
    for step, ends in STEPS.items():
        at = min(max(before, marks[ends]), marks["open"])
        found[f"{step}_ms"] = at - before
        before = at
    for name, (begins, ends) in ASIDE.items():
        if begins in marks:
            found[f"{name}_ms"] = marks[ends] - marks[begins]
    return found


def silence(folder: Path) -> Path:
    """A minute of nobody speaking, as a WAV file in `folder`."""
    path = folder / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(2 * 16_000 * 60))
    return path


async def opened(browser: Browser, name: str, url: str) -> Side:
    """The page called `name`, loaded from the gateway at `url`, ready for the click."""
    tab = await browser.new_page()
    tab.set_default_timeout(WITHIN / timedelta(milliseconds=1))
    await tab.add_init_script((PAGES / "marks.js").read_text(encoding="utf-8"))
    if name == ARTICLE:
        html = (PAGES / "article.html").read_text(encoding="utf-8")

        async def answer(route: Route) -> None:
            await route.fulfill(body=html, content_type="text/html")

        url += "/article.html"
        await tab.route("**/article.html", answer)
    await tab.goto(url, wait_until="networkidle")
    if name == KEYED:
        await tab.get_by_text("Settings").click()
        await tab.locator("input[value=token]").check()
    return Side(name, tab)


async def click(side: Side, emulator: Emulator) -> dict[str, float]:
    """One call, from the click until nothing is left of it; where its time went, in ms."""
    await side.tab.bring_to_front()
    await side.tab.locator("#start").click()
    async with asyncio.timeout(WITHIN.total_seconds()):
        marks = await side.tab.evaluate("calls.marks()")
    await side.tab.locator("#stop").click()
    await side.tab.evaluate("calls.release()")
    await emulator.live_calls(0)
    return stages(dict(marks))


async def run(say: Say, *, clicks: int) -> dict[str, Any]:
    """Medians over `clicks` calls of each page; `skipped` says why there are none."""
    try:
        from tests.support import chromium
        from tests.support.emulated import Emulator
    except ImportError as error:
        say(f"  skipped: {error}")
        return {"skipped": f"{error} (python3 dev.py test installs it)"}
    if chromium.executable() is None:
        reason = "no Chromium, Chrome or Edge on this machine"
        say(f"  skipped: {reason}")
        return {"skipped": reason}
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in (ARTICLE, PAGE, KEYED)}
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        limits = {"LIMIT_STARTS_PER_MINUTE": "0", "LIMIT_LIVE_CALLS": "0"}
        running = await stack.enter_async_context(Stack(env=limits))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        emulator = Emulator(http, running.emulator_url)
        late = [{"delay_seconds": LATENCY.total_seconds()}]
        await emulator.change({"faults": {"client_secrets": late, "calls": late}})
        browser = await stack.enter_async_context(chromium.hearing(silence(Path(folder))))
        url = running.url.rstrip("/")
        sides = [await opened(browser, name, url) for name in seen]
        for side in sides:
            await click(side, emulator)
        for number in range(clicks):
            # Each is first as often as the others, so that none always follows the same one.
            turn = number % len(sides)
            for side in sides[turn:] + sides[:turn]:
                seen[side.name].append(await click(side, emulator))
            took = (f"{name} {each[-1]['open_ms']:.0f} ms" for name, each in seen.items())
            say(f"  {number + 1}/{clicks} click to open channel: {', '.join(took)}")
        version = browser.version
    return summed(seen, version)


def summed(seen: Mapping[str, Sequence[Mapping[str, float]]], version: str) -> dict[str, Any]:
    """Medians, the span of the whole, and the ratio of our page to the article's."""
    pages = {
        name: {
            **middle(each),
            "least_open_ms": min(one["open_ms"] for one in each),
            "most_open_ms": max(one["open_ms"] for one in each),
        }
        for name, each in seen.items()
    }
    whole = {name: each["open_ms"] for name, each in pages.items()}
    return {
        "skipped": "",
        "latency_ms": LATENCY / timedelta(milliseconds=1),
        "clicks": len(seen[PAGE]),
        "browser": version,
        "pages": pages,
        "ratio": ratio(whole[PAGE], whole[ARTICLE]),
        "ratio_by_token": ratio(whole[KEYED], whole[ARTICLE]),
    }


def shown(found: Mapping[str, Any]) -> list[str]:
    """The lines of a table."""
    if found["skipped"]:
        return [f"the page was not measured: {found['skipped']}"]
    lines = ["", f"click to open data channel, endpoint answers after {found['latency_ms']:.0f} ms"]
    for name, each in found["pages"].items():
        parts = "  ".join(f"{step} {each[f'{step}_ms']:.0f}" for step in STEPS)
        lines.append(f"{name:<20}{each['open_ms']:8.1f} ms  ({parts})")
    share = f"{found['ratio']:.2f}, by /token {found['ratio_by_token']:.2f}"
    return [*lines, f"our page, of the article's: {share}"]


def drawn(found: Mapping[str, Any]) -> dict[str, str]:
    """The picture: the whole of each page, and where its time goes."""
    if found["skipped"]:
        return {}
    titles = {"open": "click to open channel", **TITLES}
    picture = bars(
        "From the click to the open data channel",
        "ms",
        [
            Bar(title, name, each[f"{what}_ms"])
            for what, title in titles.items()
            for name, each in found["pages"].items()
        ],
        note=f"median of {found['clicks']} clicks in Chromium; "
        f"the model's endpoint answers after {found['latency_ms']:.0f} ms",
    )
    return {"bench-page.svg": picture}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.measure.page", description=__doc__)
    parser.add_argument("--clicks", type=int, default=7)
    options = parser.parse_args()
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    found = asyncio.run(run(lambda text: print(text, file=sys.stderr), clicks=options.clicks))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
