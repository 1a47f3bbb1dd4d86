"""A call that outlives its cap, its endpoint and its host: one conversation in several calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page

from tests.contract.record.conftest import ADMIN, poll_until
from tests.support import chromium
from tests.support.app_settings import app_settings
from tests.support.azurite import shared_azurite
from tests.support.chromium import MIC_TRACKS, probed_page
from tests.support.emulated import Emulator
from tests.support.ports import free_ports
from tests.support.programs import Program, program

pytestmark = pytest.mark.asyncio(loop_scope="session")

CAP = 15
"""How long one call may last, in seconds: its page moves a third of that before."""
START = """
async () => {
  const { RealtimeCall } = await import('/realtime-call.js');
  const options = { profile: 'agents-sdk', timeouts: { interruption: 500 } };
  const call = (window.call = new RealtimeCall(options));
  window.problems = [];
  call.on('problem', ({ code }) => problems.push(code));
  const started = call.start();
  window.sound = document.body.appendChild(document.createElement('audio'));
  sound.srcObject = call.remoteStream;
  await sound.play();
  return (await started).status;
}
"""
WATCH = """
() => {
  let lost = false;
  call.on('statechange', ({ reconnecting }) => (lost ||= Boolean(reconnecting)));
  const [first] = probes.connections;
  const close = first.close.bind(first);
  first.close = () => {
    window.moved = { next: probes.connections.at(-1).connectionState, lost };
    close();
  };
  window.gap = 0;
  let packets = 0;
  let quiet = 0;
  const look = async () => {
    const reports = await Promise.all(probes.connections.map((each) => each.getStats()));
    const entries = reports.flatMap((report) => [...report.values()]);
    const inbound = entries.filter(({ type }) => type === 'inbound-rtp');
    const sum = inbound.reduce((total, { packetsReceived }) => total + packetsReceived, 0);
    quiet = sum === packets ? quiet + 1 : 0;
    packets = sum;
    window.gap = Math.max(window.gap, quiet);
    setTimeout(look, 50);
  };
  void look();
}
"""
"""How often in a row at most nothing was heard of any call, and how the first one was left: a page
without time does not look."""


class Broker:
    """Hosts on one storage, and an endpoint that may be killed and come back where it was."""

    def __init__(self, stack: AsyncExitStack, http: aiohttp.ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.endpoint_port, self.host_port = free_ports(2)
        self.emulator = Emulator(http, f"http://127.0.0.1:{self.endpoint_port}")
        self.url = f"http://127.0.0.1:{self.host_port}"
        self.programs: list[Program] = []

    async def start(self) -> None:
        endpoint = program("realtime_emulator", "--port", str(self.endpoint_port))
        settings = app_settings(
            self.emulator.url,
            AzureWebJobsStorage=shared_azurite().connection,
            CALLER_AUTH="static-web-apps,anonymous",
            OBSERVER="eager",
            TRANSCRIPTS="on",
            LIMIT_LIVE_CALLS="1",
            LIMIT_CALL_SECONDS=str(CAP),
            LIMIT_CONVERSATION_SECONDS="600",
        )
        options = ("--port", str(self.host_port), "--without-local-settings", "--log", "warning")
        host = program("local.host", *options, environment=settings)
        entering = (self.stack.enter_async_context(each) for each in (endpoint, host))
        self.programs = await asyncio.gather(*entering)

    async def kill(self) -> None:
        for each in self.programs:
            each.process.kill()
            await each.process.wait()

    async def calls(self) -> list[dict[str, Any]]:
        """The calls of the conversation, newest first."""
        async with self.http.get(f"{self.url}/api/calls", headers=ADMIN) as answer:
            listed: list[dict[str, Any]] = (await answer.json())["calls"]
        newest = listed[:1]
        while newest and (before := newest[-1].get("continues")):
            newest += [call for call in listed if call["id"] == before]
        return newest

    async def followed(self) -> dict[str, Any]:
        """The endpoint's calls, once the running one is observed: from then on all is on record."""

        def is_followed(state: dict[str, Any]) -> bool:
            return [each["observers"] for each in state["calls"] if each["live"]] == [1]

        return await self.emulator.until(is_followed, "followed")

    async def recorded(self, words: str) -> None:
        """Waits until the words are on record of one of the calls."""

        async def transcripts() -> str:
            texts = []
            for call in await self.calls():
                url = f"{self.url}/api/calls/{call['id']}/transcript"
                async with self.http.get(url, headers=ADMIN) as answer:
                    texts.append(await answer.text())
            return "\n".join(texts)

        await poll_until(transcripts, lambda text: words in text)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Broker, str]]:
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        broker = Broker(stack, http)
        gateway, _ = await asyncio.gather(
            stack.enter_async_context(
                program("local.gateway", "--port", "0", "--roles", "off", "--api", broker.url)
            ),
            broker.start(),
        )
        yield broker, gateway.url


async def until(page: Page, condition: str) -> None:
    """Waits until it holds; the page's policy keeps Playwright from waiting in it."""
    await poll_until(partial(page.evaluate, f"Boolean({condition})"), bool)


async def test_one_conversation_in_several_calls(silence: Path) -> None:
    # A browser of its own: one that was offline gives connections of later pages up sooner.
    chromium.skip_if_missing()
    async with running() as (broker, url), chromium.hearing(silence) as browser:
        page = await probed_page(browser)
        # A page without a call of its own.
        await page.goto(f"{url}/events.js")
        assert await page.evaluate(START) == "live"
        await page.evaluate(WATCH)
        await broker.followed()
        await page.evaluate("call.sendText('My name is Ada.')")
        await until(page, "call.captions.some(({ who, text }) => who === 'assistant' && text)")
        await broker.recorded("You said")

        # The cap: it moves before, and nobody hears it.
        await until(page, "probes.connections.length >= 2 && call.captions.length >= 2")
        await until(page, "probes.connections[0].connectionState === 'closed'")
        assert await page.evaluate("gap") < 40, "twenty looks a second"
        assert await page.evaluate("moved") == {"next": "connected", "lost": False}
        assert (await broker.followed())["calls"][0]["items"] >= 3
        await page.evaluate("call.sendText('And I like tea.')")
        await until(page, "call.captions.filter(({ who }) => who === 'assistant').length === 2")
        await broker.recorded("You said: And I like tea")

        # Endpoint and host are killed at once, and the network is away.
        await page.context.set_offline(offline=True)
        await broker.kill()
        await until(page, "call.state.reconnecting")
        assert await page.evaluate(MIC_TRACKS) == ["live"]
        await broker.start()
        await page.context.set_offline(offline=False)
        await until(page, "call.state.status === 'live' && !call.state.reconnecting")
        assert (await broker.followed())["calls"][0]["items"] >= 5
        await page.evaluate("call.sendText('Goodbye.')")
        await until(page, "call.captions.filter(({ who }) => who === 'assistant').length === 3")
        await poll_until(partial(page.evaluate, "probes.energy()"), lambda energy: energy > 0)
        assert await page.evaluate("sound.paused") is False
        assert await page.evaluate("problems") == []
        assert await page.evaluate("call.state.since + 0 < Date.now() - 8000")
        said = await page.evaluate("call.captions.map(({ text }) => text).join(' ')")
        for words in ("Ada", "tea", "Goodbye"):
            assert words in said

        await page.evaluate("call.stop()")
        assert await page.evaluate(MIC_TRACKS) == ["ended"]
        calls = await broker.calls()
        # On a busy machine more of them reach their cap, and the last may be one that was being
        # begun as the page hung up: it has taken no call's place.
        if calls[1].get("continued_by") is None:
            del calls[0]
        assert len(calls) >= 3
        assert [call.get("continued_by") for call in calls] == [
            None,
            *(call["id"] for call in calls[:-1]),
        ]
        assert calls[-1]["ended_by"] == "continued"
