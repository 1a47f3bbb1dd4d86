"""GPT-Live calls from the page through the whole stack: spoken, interrupted, with a tool of the
server's, muted, on standby, at the limit."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from local.stack import Stack
from tests.browser.conftest import Hearing
from tests.browser.test_page_calls import MIC_TRACKS
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.voice import utterances

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).resolve().parents[2]
OPENAI = ROOT / "tests" / "npm" / "node_modules" / "openai"
SHORT_LIST = {
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.input_audio.muted",
    "session.input_audio.unmuted",
    "session.paused",
    "session.resumed",
    "session.usage.updated",
    "error",
    "info",
}
"""What a page receives of a profile that adds nothing."""

PLAIN: dict[str, Any] = {
    "api": "live",
    "session": {
        "instructions": "SECRET INSTRUCTIONS: be brief.",
        "audio": {"output": {"voice": "marin"}},
    },
}
IDLE: dict[str, Any] = {
    **PLAIN,
    "session": {**PLAIN["session"], "idle_timeout_s": 2, "wake_policy": {"type": "speech"}},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The whole stack, with profiles of GPT-Live beside the samples."""
    profiles = tmp_path_factory.mktemp("live") / "profiles"
    shutil.copytree(ROOT / "profiles", profiles)
    (profiles / "plain-live.json").write_text(json.dumps(PLAIN), encoding="utf-8")
    (profiles / "idle-live.json").write_text(json.dumps(IDLE), encoding="utf-8")
    env = {
        "LIMIT_STARTS_PER_MINUTE": "0",
        "LIMIT_LIVE_CALLS": "0",
        "REALTIME_PROFILES": str(profiles),
        "LIVE_SESSION_FIELDS": "all",
    }
    async with Stack(env=env) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def live_emulator(live_stack: Stack) -> AsyncIterator[Emulator]:
    async with emulator_of(live_stack) as emulator:
        yield emulator


@asynccontextmanager
async def emulator_of(stack: Stack) -> AsyncIterator[Emulator]:
    """A stack's emulator, reset before; no session may be left afterwards."""
    async with aiohttp.ClientSession() as http:
        emulator = Emulator(http, stack.emulator_url)
        await emulator.reset()
        yield emulator
        await live_sessions(emulator, 0)
        await emulator.reset()


async def live_sessions(emulator: Emulator, number: int) -> dict[str, Any]:
    return await emulator.until(
        lambda state: state["live_sessions"] == number, f"{number} live sessions"
    )


@asynccontextmanager
async def calling(stack: Stack, hearing: Hearing, profile: str) -> AsyncIterator[Page]:
    """A page that is on a call."""
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(f"{stack.url}/?profile={profile}")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#connection")).to_have_text("Connected")
        yield page


async def stop(page: Page) -> None:
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The call has ended.")
    await expect(page.locator("#advice")).to_contain_text("You hung up")


async def test_a_spoken_call(live_stack: Stack, live_emulator: Emulator, hearing: Hearing) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await say(page, *utterances("hello.wav"))
        captions = page.locator("#captions li")
        await expect(captions.nth(1).locator(".words")).to_contain_text("help you today")
        await expect(captions.nth(0)).to_have_attribute("data-who", "user")
        await expect(captions.nth(0).locator(".words")).to_contain_text("hear me")
        await expect(captions.nth(1)).to_have_attribute("data-who", "assistant")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Listening.")

        await stop(page)
        state = await live_sessions(live_emulator, 0)
        assert state["started_sessions"] == 1
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
        assert await page.evaluate("probes.violations") == []
        await expect(captions).to_have_count(2)


HOLD_A_CALL = """async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const call = new RealtimeCall({ profile: 'plain-live' });
  const events = [];
  const answered = new Promise((resolve) => {
    call.on('event', (event) => {
      events.push(event);
      if (event.type === 'session.output_transcript.delta') resolve();
    });
  });
  window.session = { call, events, answered };
  return (await call.start()).status;
}"""


async def test_what_reaches_a_page(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    """No id of the session's, no session, no instructions: neither in answers nor in events."""
    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.goto(live_stack.url)
        async with page.expect_response("**/api/connect*") as answer:
            assert await page.evaluate(HOLD_A_CALL) == "live"
        response = await answer.value
        assert response.headers["x-voice-api"] == "live"
        (session,) = (await live_emulator.state())["sessions"]
        told = json.dumps(response.headers) + await response.text()
        assert session["id"] not in told
        await say(page, *utterances("hello.wav"))
        await page.evaluate("() => session.answered")
        last = await page.evaluate("async () => (await session.call.stop(), session.call.state)")
        assert last["reason"] == "stopped"
        events = await page.evaluate("session.events")
        assert {event["type"] for event in events} <= SHORT_LIST
        assert session["id"] not in json.dumps(events)
        assert "SECRET" not in json.dumps(events)


async def silence_of(page: Page) -> None:
    """Waits until nothing is heard any more."""
    before = await page.evaluate("probes.energy()")
    while True:
        await page.wait_for_timeout(300)
        after = await page.evaluate("probes.energy()")
        if after - before < 1e-6:
            return
        before = after


STORY = {
    "rules": [
        {"words": ["story"], "say": "Once upon a time there was a king and " * 20},
        {"words": ["stop"], "say": "I stopped.", "stall_seconds": 3},
    ]
}


async def test_speaking_silences_the_answer(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    await live_emulator.change(STORY)
    request, interruption = utterances("story-then-stop.wav")
    async with calling(live_stack, hearing, "plain-live") as page:
        await say(page, request)
        story = page.locator("#captions li[data-who=assistant]").first
        await expect(story.locator(".words")).to_contain_text("Once upon")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Answering.")
        await asyncio.gather(silence_of(page), say(page, interruption))
        await expect(story).to_have_attribute("data-interrupted", "")
        told = await story.locator(".words").inner_text()
        assert told.count("king") < 15, "the whole story was told"
        await expect(page.locator("#captions li").last.locator(".words")).to_contain_text(
            "I stopped"
        )
        await stop(page)


LOOK_UP = {
    "rules": [
        {"words": ["weather"], "call": {"tool": "order", "arguments": {"order_number": "1002"}}}
    ]
}


async def test_the_result_of_a_servers_tool_is_spoken(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    await live_emulator.change(LOOK_UP)
    async with calling(live_stack, hearing, "live") as page:
        seen = await page.evaluate_handle(
            """() => {
              const seen = new Set();
              const headline = document.querySelector('#headline');
              new MutationObserver(() => seen.add(headline.textContent)).observe(
                headline, { childList: true, characterData: true, subtree: true });
              return seen;
            }"""
        )
        await say(page, *utterances("weather.wav"))
        captions = page.locator("#captions")
        # The recogniser may mistake a word before it has heard the next.
        await expect(captions).to_contain_text("london", ignore_case=True)
        await expect(captions).to_contain_text("1002")
        await page.wait_for_function("async () => (await probes.energy()) > 0")
        assert "Looking that up…" in await seen.evaluate("(seen) => [...seen]")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Listening.")
        await stop(page)


async def test_mute_is_known_to_the_server(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await page.get_by_role("button", name="Mute").click()
        await live_emulator.until(lambda state: state["sessions"][0]["muted"], "muted")
        await expect(page.locator("#microphone")).to_contain_text("Microphone muted")
        await page.get_by_role("button", name="Mute").click()
        await live_emulator.until(lambda state: not state["sessions"][0]["muted"], "unmuted")
        await say(page, *utterances("hello.wav"))
        await expect(page.locator("#captions")).to_contain_text("help you today")
        await expect(page.locator("#problem")).to_be_hidden()
        await stop(page)


async def test_an_operators_mute_is_shown_and_not_lifted(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        (session,) = (await live_sessions(live_emulator, 1))["sessions"]
        url = f"{live_emulator.url}/openai/v1/live/sessions/{session['id']}/attach"
        async with live_emulator.http.ws_connect(url, headers={"api-key": "any"}) as sideband:
            await sideband.send_json({"type": "session.input_audio.mute"})
            await expect(page.locator("#microphone")).to_contain_text("muted by the operator")
            await expect(page.locator("#advice")).to_contain_text("operator")
            await page.get_by_role("button", name="Mute").click()
            await page.get_by_role("button", name="Mute").click()
            await expect(page.locator("#microphone")).to_contain_text("muted by the operator")
            assert (await live_emulator.state())["sessions"][0]["muted"] is True
            await sideband.send_json({"type": "session.input_audio.unmute"})
            await expect(page.locator("#microphone")).to_contain_text("Microphone on")
        await stop(page)


async def test_standby_and_waking(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "idle-live") as page:
        await expect(page.locator("#connection")).to_have_text("On standby")
        await expect(page.locator("#advice")).to_contain_text("Speak, and the call goes on")
        assert (await live_emulator.state())["sessions"][0]["paused"] is True
        await say(page, *utterances("hello.wav"))
        await expect(page.locator("#connection")).to_have_text("Connected")
        await expect(page.locator("#captions")).to_contain_text("help you today")
        await stop(page)


async def test_leaving_the_page_ends_the_session(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await live_sessions(live_emulator, 1)
        await page.goto("about:blank")
        await live_sessions(live_emulator, 0)


async def test_text_that_the_sample_profile_allows(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "live") as page:
        await page.get_by_role("textbox", name="Text for the assistant").fill("Order 1002.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#captions")).to_contain_text("Order 1002.")
        await live_emulator.until(
            lambda state: "session.thinking.appended" in state["sessions"][0]["events"], "context"
        )
        await expect(page.locator("#problem")).to_be_hidden()
        await stop(page)


async def test_text_that_a_profile_does_not_allow(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        await page.get_by_role("textbox", name="Text for the assistant").fill("Order 1002.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "text_refused")
        await expect(page.get_by_role("textbox")).to_be_hidden()
        await expect(page.locator("#connection")).to_have_text("Connected")
        await stop(page)


async def test_a_key_is_refused_and_said_why(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with hearing("silence") as browser:
        page = await probed_page(browser)
        await page.goto(f"{live_stack.url}/?profile=live")
        await page.get_by_text("Settings").click()
        await page.locator("input[value=token]").check()
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#problem")).to_have_attribute("data-code", "live_without_keys")
        await expect(page.locator("#problem")).to_contain_text("Through the broker")


@pytest.mark.parametrize(
    ("reason", "words"), [("expired", "longest time"), ("content", "safety filter")]
)
async def test_the_service_ends_a_session(
    reason: str, words: str, live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    async with calling(live_stack, hearing, "plain-live") as page:
        state = await live_emulator.until(
            lambda state: state["sessions"][0]["observers"] > 0, "observed"
        )
        (session,) = state["sessions"]
        url = f"{live_emulator.url}/emulator/sessions/{session['id']}/end"
        async with live_emulator.http.post(url, json={"reason": reason}) as answer:
            assert answer.status == 200, await answer.text()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The call has ended.")
        await expect(page.locator("#advice")).to_contain_text(words)
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


async def test_at_its_limit(hearing: Hearing) -> None:
    async with (
        Stack(env={"LIMIT_CALL_SECONDS": "10"}) as stack,
        emulator_of(stack),
        calling(stack, hearing, "live") as page,
    ):
        await expect(page.get_by_role("heading", level=1)).to_have_text("The call has ended.")
        await expect(page.locator("#advice")).to_contain_text("The call reached its time limit")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]


OFFICIAL = """async () => {
  const { OpenAILiveWebRTC } = await import('/openai/lib/live/webrtc.mjs');
  const { TranscriptGrouper } = await import('/openai/lib/live/transcript-grouper.mjs');
  const connection = new OpenAILiveWebRTC();
  const grouper = new TranscriptGrouper();
  window.said = new Map();
  grouper.on('segment.updated', ({ id, speaker, text }) => said.set(id, `${speaker}: ${text}`));
  connection.onEvent((event) => grouper.push(event));
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  connection.peerConnection.addTrack(microphone.getAudioTracks()[0]);
  let location;
  await connection.connect({
    exchangeSdp: async (body, { signal }) => {
      const headers = { 'Content-Type': 'application/sdp' };
      const url = '/api/connect?profile=plain-live';
      const answer = await fetch(url, { method: 'POST', headers, body, signal });
      location = new URL(answer.headers.get('location'), answer.url);
      return answer.text();
    },
  });
  window.leave = async () => {
    connection.send({ type: 'session.close' });
    connection.close();
    return (await fetch(`${location}/hangup`, { method: 'POST' })).status;
  };
  return connection.state;
}"""


async def test_openais_own_helper(
    live_stack: Stack, live_emulator: Emulator, hearing: Hearing
) -> None:
    if not (OPENAI / "lib" / "live").is_dir():
        pytest.skip("openai is not installed: run `npm ci` in tests/npm")

    async def serve(route: Route) -> None:
        path = OPENAI / route.request.url.partition("/openai/")[2]
        await route.fulfill(path=path, content_type="text/javascript")

    async with hearing("silence") as browser:
        page = await probed_page(browser, speaks=True)
        await page.route("**/openai/**", serve)
        await page.goto(live_stack.url)
        assert await page.evaluate(OFFICIAL) == "connected"
        await say(page, *utterances("hello.wav"))
        await page.wait_for_function(
            "() => [...said.values()].some((line) => /^assistant: .*help you today/.test(line))"
        )
        assert await page.evaluate("leave()") == 204
