"""Every view of the site, one after the other, in one page: to be tested, and to be looked at.

async for view in views.of_a_call(page, url):
    assert await accessibility.faults(page) == [], view.name
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Page, Route, expect

from tests.support import chromium, sites
from tests.support.shown import ACTIVITY, record, until_shown
from tests.support.voice import utterances

SITE: Final = Path(__file__).resolve().parents[2] / "frontend"
DESK: Final = {
    "live": "calls?status=live",
    "calls": "calls",
    "latency": "latency",
    "usage": "usage",
    "failures": "failures",
    "endpoints": "endpoints",
    "health": "health/deep",
}
"""The desk's views, and what each asks the broker for."""

HOLD: Final = """
const granting = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  await window.asking;
  return granting(wanted);
};
"""
"""Lets a page wait for the user's answer for as long as `window.asking` does."""


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows now; one that `passes` does so for a second or two, or has done so."""

    name: str
    passes: bool = False


async def prepare(page: Page) -> None:
    """Before anything is opened in a page: somebody is signed in, and speaks when told to."""
    await page.add_init_script("window.speaks = true;")
    await page.add_init_script(chromium.PROBES)
    await page.add_init_script(HOLD)
    me = json.dumps({"clientPrincipal": {**sites.ADMIN, "claims": []}})
    await page.route("**/.auth/me", fulfilling(200, me, "application/json"))


async def mirror(page: Page) -> None:
    """English is written from right to left in this page."""
    source = (SITE / "translation.js").read_text(encoding="utf-8")
    mirrored = source.replace("['ar',", "['en', 'ar',")
    assert mirrored != source
    await page.route("**/translation.js", fulfilling(200, mirrored, "text/javascript"))


def fulfilling(status: int, body: str, kind: str) -> Callable[[Route], Awaitable[None]]:
    return lambda route: route.fulfill(status=status, body=body, content_type=kind)


async def of_a_call(page: Page, url: str) -> AsyncIterator[View]:
    """Our page, from before a call until after it."""
    await page.goto(url)
    await page.locator("#start").wait_for()
    yield View("idle")
    await page.locator("#settings").click()
    yield View("settings")
    await page.keyboard.press("Escape")

    await page.evaluate("() => { window.asking = new Promise((go) => (window.grant = go)); }")
    await page.locator("#start").click()
    yield View("asking")
    await page.evaluate("() => grant()")
    await page.locator("[data-status=live]").wait_for()
    yield View("listening")

    await record(page, ACTIVITY)
    speaking = asyncio.create_task(chromium.say(page, *utterances("hello.wav")))
    await until_shown(page, ACTIVITY, "hearing")
    yield View("hearing", passes=True)
    await speaking
    await until_shown(page, ACTIVITY, "answering")
    yield View("answering", passes=True)
    await page.locator("[data-activity=listening]").wait_for()
    await expect(page.locator("#captions li")).to_have_count(2)
    yield View("captions")

    await page.locator("#mute").click()
    yield View("muted")
    await page.locator("#events").click()
    yield View("events")
    await page.keyboard.press("Escape")
    await page.locator("#sound").click()
    yield View("sound")
    await page.keyboard.press("Escape")
    await page.locator("#stop").click()
    await page.locator("[data-status=ended]").wait_for()
    yield View("ended")


async def of_problems(page: Page, url: str) -> AsyncIterator[View]:
    """A refused call, with what is for whoever runs the page, and a caller who is not signed in."""
    for name, status, code in (
        ("problem", 503, "upstream_quota"),
        ("signed-out", 401, "sign_in_required"),
    ):
        body = {
            "code": code,
            "detail": "The model's quota is exhausted for now.",
            "hint": "Try again after Retry-After. If it persists, raise the deployment's capacity.",
            "request_id": "4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51",
        }
        await page.goto(url)
        refuse = fulfilling(status, json.dumps(body), "application/problem+json")
        await page.route("**/api/connect*", refuse)
        await page.locator("#start").click()
        await page.locator("#problem summary").click()
        yield View(name)
        await page.unroute("**/api/connect*")


async def of_the_diagnosis(page: Page, url: str) -> AsyncIterator[View]:
    """The drawer of the checks, before and after."""
    await page.goto(url)
    await page.locator("#settings").click()
    await page.locator("#settings-menu button").click()
    checks = page.locator("call-diagnosis button")
    await checks.first.click()
    yield View("diagnosis", passes=True)
    await page.locator("call-diagnosis [data-outcome]").last.wait_for()
    await checks.nth(2).wait_for()
    yield View("diagnosis-done")


async def of_the_desk(page: Page, url: str) -> AsyncIterator[View]:
    """The desk of an admin, with the last call open."""
    await page.context.add_cookies([sites.browser_cookie(sites.ADMIN, url)])
    for name, question in DESK.items():
        async with page.expect_response(f"{url}/api/{question}*"):
            await page.goto(f"{url}/admin#/{name}")
        yield View(f"desk-{name}")
    await page.goto(f"{url}/admin#/calls")
    await page.locator(".calls a").first.click()
    await page.locator(".transcript").wait_for()
    yield View("desk-call")
