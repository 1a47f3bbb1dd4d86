"""GPT-Live sessions of a real Chromium with the emulator: create, both transcripts, a delegated
tool, an interruption, idling, and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from playwright.async_api import Browser, Page

from tests.contract.live_media.test_chromium import CALL, PAGE
from tests.support.chromium import executable, hearing, probed_page, say
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE, looking
from tests.support.voice import VOICE, silence, utterances

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium, Chrome or Edge")

WEATHER = {"type": "function", "name": "get_weather"}
BACKEND = {"type": "responses", "responses": {"model": "gpt-5.6-sol", "tools": [WEATHER]}}
WAIT = """async ([side, text]) => {
  const kind = `session.${side}_transcript.delta`;
  for (;;) {
    const said = events.filter((event) => event.type === kind).map((event) => event.delta).join('');
    if (said.includes(text)) return said;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
EXPECT = """async (kind) => {
  for (;;) {
    const found = events.find((event) => event.type === kind);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
QUIET = """async () => {
  for (let before = -1, now = await probes.energy(); ; before = now, now = await probes.energy()) {
    if (now - before < 1e-6) return now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}"""
"""Resolves once nothing is heard for 200 ms, with the energy of all that was."""


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    return silence(tmp_path / "silence.wav")


@asynccontextmanager
async def page_session(
    microphone: Path, script: dict[str, Any] | None = None, **session: Any
) -> AsyncIterator[tuple[Server, AsyncOpenAI, str, Page]]:
    """A page in a session, which it has created through a server, as it must."""
    created: list[str] = []
    async with (
        serving("openai", real_media=True, **(script or {})) as server,
        AsyncOpenAI(base_url=server.base, api_key="standard", max_retries=0) as standard,
        hearing(microphone) as browser,
    ):

        async def answer(offer: str) -> str:
            made = await standard.live.create(
                session={"model": "gpt-live-1", **session},  # type: ignore[typeddict-item]
                transport={"type": "webrtc", "sdp": offer},
            )
            created.append(made.session.id)
            return made.transport.sdp

        page = await open_page(browser, answer)
        yield server, standard, created[0], page


async def open_page(browser: Browser, answer: Any) -> Page:
    page = await probed_page(browser, speaks=True)
    await page.route(PAGE, lambda route: route.fulfill(body="<body></body>"))
    await page.goto(PAGE)
    await page.expose_function("answer", answer)
    await page.evaluate(CALL)
    return page


async def all_ended(server: Server) -> None:
    """Polls until no session is left. There is no event to wait for."""
    async for _ in looking():
        if (await server.state())["live_sessions"] == 0:
            return
    raise AssertionError("a session is left")


async def call_of(sideband: Any) -> str:
    """The id of the first function call that is complete."""
    async with asyncio.timeout(PATIENCE):
        while True:
            event = json.loads(await sideband.recv_bytes())
            nested = event.get("event", {})
            if nested.get("type") == "response.output_item.done":
                call_id: str = nested["item"]["call_id"]
                return call_id


async def test_a_page_asks_for_the_weather_and_hears_what_the_tool_said() -> None:
    hello = VOICE / "hello.wav"
    async with page_session(hello, delegation=BACKEND) as (server, standard, session_id, page):
        await page.evaluate(WAIT, ["output", "help you"])  # to the hello of the fake device
        async with standard.live.sideband.connect(session_id=session_id) as sideband:
            (question,) = utterances("weather.wav")
            await say(page, question)
            call_id = await call_of(sideband)
            # The recogniser may mistake a word before it has heard the next.
            await page.evaluate(WAIT, ["input", "london"])
            before = await page.evaluate(QUIET)
            output: Any = {
                "type": "function_call_output",
                "call_id": call_id,
                "output": "14 degrees",
            }
            await sideband.response.item.create(item=output)
            await sideband.response.create()
            await page.evaluate(WAIT, ["output", "14 degrees"])
            assert await page.evaluate(QUIET) > before
        events = await page.evaluate("events.map((event) => event.type)")
        assert events[0] == "session.started"
        assert "session.output_audio.delta" not in events
        assert "session.input_audio.append" not in events
        await page.evaluate("channel.send(JSON.stringify({type: 'session.close'}))")
        closed = await page.evaluate(EXPECT, "session.closed")
        assert closed["reason"] == "close_requested"
        await page.evaluate("closed")
        await all_ended(server)


async def test_a_page_interrupts_a_story(silent: Path) -> None:
    async with page_session(silent) as (server, standard, session_id, page):
        await page.evaluate(EXPECT, "session.started")
        story, stop = utterances("story-then-stop.wav")
        await say(page, story)
        await page.evaluate(WAIT, ["output", "Once upon a time"])
        await say(page, stop)
        await page.evaluate(QUIET)
        said = await page.evaluate(WAIT, ["output", "Once"])
        assert "listened to." not in said
        heard = await page.evaluate(WAIT, ["input", "now"])
        assert "story" in heard
        await standard.live.sessions.hangup(session_id)
        await page.evaluate("closed")
        await all_ended(server)


async def test_a_restricted_page_is_told_of_pauses_only_and_may_not_steer(silent: Path) -> None:
    lists = {
        "allowed_client_events": ["session.input_audio.mute"],
        "allowed_server_events": [
            {"type": kind}
            for kind in ("session.paused", "session.resumed", "session.input_audio.muted")
        ],
    }
    script = {"live": {"connection_lost_seconds": 0.2}}
    async with page_session(
        silent,
        script,
        client={"data_channel": lists},
        idle_timeout_s=2,
        wake_policy={"type": "speech"},
    ) as (server, _, _, page):
        await page.evaluate(EXPECT, "session.paused")
        (question,) = utterances("weather.wav")
        await say(page, question)
        await page.evaluate(EXPECT, "session.resumed")
        await page.evaluate("channel.send(JSON.stringify({type: 'session.close'}))")
        refused = await page.evaluate(EXPECT, "error")
        assert refused["error"]["code"] == "event_not_allowed"
        await page.evaluate("channel.send(JSON.stringify({type: 'session.input_audio.mute'}))")
        await page.evaluate(EXPECT, "session.input_audio.muted")
        kinds = await page.evaluate("events.map((event) => event.type)")
        assert kinds[0] == "info"
        assert {*kinds} <= {
            *("info", "error", "session.paused", "session.resumed", "session.input_audio.muted")
        }
        await page.evaluate("pc.close()")
        await all_ended(server)
        (session,) = (await server.state())["sessions"]
        assert session["ended"] == "connection_lost"
