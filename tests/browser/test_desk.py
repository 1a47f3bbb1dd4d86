"""The desk at /admin: whom it is served to, a live call followed and spoken into, past calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from local.stack import Stack
from realtime_emulator.caller import Caller
from tests.browser.conftest import Hearing
from tests.support import sites
from tests.support.accessibility import faults, load_axe
from tests.support.bidi import Connection, css, role
from tests.support.emulated import Emulator
from tests.support.node import NotHere
from tests.support.offers import known_offers
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="session")

SITE = Path(__file__).resolve().parents[2] / "frontend"
SERVED = ["admin", *(f"admin/{path.name}" for path in sorted((SITE / "admin").iterdir()))]
OFFER = next(offer.text for offer in known_offers() if offer.is_accepted)
CALLS = 50
PROBES = """window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));"""
SEEN = """(text) => new Promise((resolve) => {
  const look = () => document.querySelector('.transcript')?.textContent.includes(text);
  if (look()) return resolve();
  const watch = new MutationObserver(() => look() && (watch.disconnect(), resolve()));
  watch.observe(document.body, { subtree: true, childList: true, characterData: true });
})"""
"""Resolves when a transcript shows the text."""


@pytest_asyncio.fixture(loop_scope="session")
async def caller(live_emulator: Emulator) -> AsyncIterator[Caller]:
    """Who is on the call. Has hung up before the emulator looks for calls that are left."""
    async with Caller() as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="session")
async def page(caller: Caller, live_stack: Stack, hearing: Hearing) -> AsyncIterator[Page]:
    """The desk, opened by an admin. Nothing may be refused by the page's own policy."""
    async with hearing("silence") as browser:
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_cookies([sites.browser_cookie(sites.ADMIN, live_stack.url)])
        page = await context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        await page.add_init_script(PROBES)
        await page.goto(f"{live_stack.url}/admin")
        yield page
        assert await page.evaluate("window.violations") == []


async def start_call(
    http: aiohttp.ClientSession, stack: Stack, offer: str = OFFER, profile: str = "plain-live"
) -> str:
    """Starts a call and returns the answer. With the usual offer nobody connects to it."""
    url = f"{stack.url}/api/connect?profile={profile or 'default'}"
    headers = {"Content-Type": "application/sdp"}
    async with http.post(url, data=offer, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.text()


async def hang_up_all(http: aiohttp.ClientSession, stack: Stack) -> None:
    cookies = {"Cookie": sites.cookie(sites.ADMIN)["Cookie"]}
    url = f"{stack.url}/api/calls"
    async with http.get(f"{url}?status=live&limit=200", headers=cookies) as answer:
        calls = (await answer.json())["calls"]

    async def end(call: dict[str, Any]) -> None:
        async with http.post(f"{url}/{call['id']}/hangup", headers=cookies) as ended:
            assert ended.status == 204, await ended.text()

    await asyncio.gather(*(end(call) for call in calls))


async def assert_accessible(page: Page) -> None:
    try:
        await load_axe(page)
    except NotHere:
        return
    assert await faults(page) == []


async def test_nothing_of_the_desk_is_served_to_who_is_no_admin(live_stack: Stack) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for headers, refused in (({}, 401), (sites.cookie(sites.USER), 403)):
            for path in SERVED:
                async with http.get(f"{live_stack.url}/{path}", headers=headers) as answer:
                    assert answer.status == refused, path
            paths = (
                "calls?status=live",
                "usage",
                "latency",
                "failures",
                "endpoints",
                "health/deep",
            )
            for path in paths:
                url = f"{live_stack.url}/api/{path}"
                async with http.get(url, headers=headers) as answer:
                    assert answer.status in (401, 403), path
        async with http.get(f"{live_stack.url}/admin", headers=sites.cookie(sites.ADMIN)) as page:
            assert page.status == 200


async def test_a_live_call_is_followed_told_something_and_ended(
    live_stack: Stack, live_emulator: Emulator, caller: Caller, page: Page
) -> None:
    http = live_emulator.http
    await expect(page.locator(".calls li")).to_have_count(0)
    await caller.accept(await start_call(http, live_stack, await caller.offer()))
    await page.locator(".calls a").click()
    await expect(page.locator(".status")).to_have_text("Live")
    nothing = page.get_by_text("No lines. What is said is kept only while TRANSCRIPTS is on.")
    await expect(nothing).to_be_visible()
    [session] = await live_emulator.observed_sessions(1)
    await live_emulator.speak(session, "please tell me a secret")
    heard = page.locator(".transcript [data-who=user] .words")
    await expect(heard).to_have_text("please tell me a secret")
    await expect(nothing).to_be_hidden()
    await assert_accessible(page)

    # Said aloud: the caller hears it. Told alone: nothing is said.
    await page.get_by_label("Message into the call").fill("the shop closes at six")
    await page.get_by_label("Say it aloud").check()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("The assistant is saying it.")).to_be_visible()
    spoken = page.locator(".transcript li", has_text="I have checked: the shop closes at six")
    await expect(spoken).to_be_visible()
    await page.get_by_label("Message into the call").fill("x" * 481)
    await expect(page.get_by_text("1 over the limit")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await page.get_by_label("Message into the call").fill("the caller is called Ada")
    await page.get_by_label("Tell the model alone").check()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("The model has been told.")).to_be_visible()

    # By the keyboard alone: hang up, take it back, then end the call.
    await page.get_by_role("button", name="Hang up").press("Enter")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Hang up").press("Enter")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Hang up").press("Enter")
    await expect(page.locator(".status")).to_have_text("Ended: an admin")
    await expect(page.locator(".calls li")).to_have_count(0)
    await expect(page.get_by_label("Message into the call")).to_have_count(0)
    told = page.locator(".transcript li", has_text="the caller is called Ada")
    await expect(told.locator(".who")).to_have_text("Server")
    await expect(page.locator(".transcript [data-who=assistant]")).not_to_contain_text("Ada")

    await past_calls(page)
    await recording_plays(page)
    await reports(page)


async def past_calls(page: Page) -> None:
    """The call is found again, with its words; a search for another finds nothing."""
    await page.get_by_role("link", name="Calls", exact=True).click()
    await expect(page.get_by_role("heading", name="Calls")).to_be_focused()
    search = page.get_by_label("Contains")
    await search.fill("plain-live")
    await search.press("Enter")
    found = page.locator(".calls a", has_text="an admin").first
    await found.click()
    await expect(page.locator(".transcript")).to_contain_text("please tell me a secret")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    table = (await (await download.value).path()).read_text(encoding="utf-8")
    assert "plain-live" in table


async def recording_plays(page: Page) -> None:
    """The browser takes the ranges that it needs, and the page lets it play."""
    audio = page.locator("audio")
    await expect(audio).to_be_visible()
    await audio.evaluate("(audio) => { audio.muted = true; return audio.play(); }")
    assert await audio.evaluate("(audio) => audio.duration") > 1


async def reports(page: Page) -> None:
    """Each shows something, or that there is nothing, as a search for what is not there does."""
    search = page.get_by_label("Contains")
    await search.fill("no such call")
    await search.press("Enter")
    await expect(page.locator(".calls li")).to_have_count(0)
    for name, shown in (
        ("Latency", "figure, .empty"),
        ("Usage and cost", "figure svg rect"),
        ("Failures", "figure, .empty"),
        ("Endpoints", ".endpoints tbody tr"),
        ("Health", ".checks li"),
    ):
        await page.get_by_role("link", name=name, exact=True).click()
        await expect(page.get_by_role("heading", name=name)).to_be_focused()
        await expect(page.locator(shown).first).to_be_attached()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    await page.get_by_role("link", name="Calls", exact=True).click()
    await expect(page.locator(".calls li").first).to_be_visible()
    await assert_accessible(page)
    await page.get_by_role("link", name="Usage and cost").click()
    await page.get_by_label("Measure").select_option("calls")
    await expect(page.locator("figure svg")).to_have_attribute(
        "aria-label", "Calls by day and Profile"
    )
    await assert_accessible(page)


async def test_a_realtime_call_is_told_and_made_to_speak(
    live_stack: Stack, live_emulator: Emulator, caller: Caller, page: Page
) -> None:
    offer = await caller.offer()
    await caller.accept(await start_call(live_emulator.http, live_stack, offer, profile=""))
    await page.locator(".calls a").click()
    field = page.get_by_label("Message into the call")
    await field.fill("the caller is called Ada")
    await page.get_by_role("button", name="Send").click()
    told = page.locator(".transcript li", has_text="the caller is called Ada")
    await expect(told).to_be_visible()
    # The line may come before the answer, which empties the field.
    await expect(page.get_by_text("The model has been told.")).to_be_visible()
    await field.fill("the call ends now")
    await page.get_by_label("Say it aloud").check()
    await page.get_by_role("button", name="Send").click()
    spoken = page.locator(".transcript [data-who=assistant] .words")
    await expect(spoken).to_contain_text("Goodbye!")

    # A broker that is gone: what is shown stays, and says that it is old until there is news.
    await page.route("**/api/**", lambda route: route.abort())
    await expect(page.locator(".fresh")).to_have_text("Not up to date: trying again")
    await expect(page.locator(".problem")).to_contain_text("could not be reached")
    await expect(spoken).to_contain_text("Goodbye!")
    await page.unroute_all()
    await expect(page.locator(".fresh")).to_have_text("Up to date")
    await expect(page.locator(".problem")).to_have_count(0)
    await hang_up_all(live_emulator.http, live_stack)
    await expect(page.locator(".status")).to_have_text("Ended: an admin")


async def test_among_fifty_calls_one_is_followed_line_by_line(
    live_stack: Stack, live_emulator: Emulator, caller: Caller, page: Page
) -> None:
    http = live_emulator.http
    await live_emulator.change({"live": {"connect_seconds": 600}})
    await asyncio.gather(*(start_call(http, live_stack) for _ in range(CALLS - 1)))
    await caller.accept(await start_call(http, live_stack, await caller.offer()))
    await expect(page.locator(".calls li")).to_have_count(CALLS)
    newest = (await live_emulator.observed_sessions(CALLS))[-1]
    await page.locator(".calls a").first.click()
    await expect(page.locator(".status")).to_have_text("Live")
    seen = asyncio.create_task(page.evaluate(SEEN, "one of fifty"))
    await live_emulator.speak(newest, "one of fifty")
    # Saying it takes one second; on an idle machine it is seen less than two seconds later.
    async with asyncio.timeout(PATIENCE):
        await seen
    await expect(page.locator(".status")).to_have_text("Live")
    await hang_up_all(http, live_stack)
    await expect(page.locator(".calls li")).to_have_count(0)


async def test_a_call_is_followed_in_firefox(
    live_stack: Stack, live_emulator: Emulator, caller: Caller, firefox_browser: Connection
) -> None:
    http = live_emulator.http
    cookie = sites.browser_cookie(sites.ADMIN, live_stack.url)
    page = await firefox_browser.open_page(live_stack.url)
    sign_in = "(value) => { document.cookie = `StaticWebAppsAuthCookie=${value}; path=/`; }"
    await page.evaluate(sign_in, cookie["value"])
    try:
        await page.goto(f"{live_stack.url}/admin")
        await page.wait_for_text(css(".list"), "No calls right now.")
        await caller.accept(await start_call(http, live_stack, await caller.offer()))
        await page.click(css(".calls a"))
        await page.wait_for_text(css(".status"), "Live")
        [session] = await live_emulator.observed_sessions(1)
        await live_emulator.speak(session, "hello from here")
        await page.wait_for_text(css(".transcript"), "hello from here")
        await hang_up_all(http, live_stack)
        await page.wait_for_text(css(".status"), "Ended: an admin")
        await page.click(role("link", "Usage and cost"))
        await page.element(css("figure svg rect"))
    finally:
        await page.evaluate(sign_in, "; max-age=0")
        await page.close()
