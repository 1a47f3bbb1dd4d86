"""The running stacks of the browser tests, and a browser for each test."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.support import accessibility, chromium, firefox, voice
from tests.support.bidi import Connection
from tests.support.emulated import Emulator
from tests.support.node import NotHere
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]

# Recognition and synthesis are slow on a busy machine. Tests wait for captions and never sleep.
expect.set_options(timeout=1000 * PATIENCE)


class Hearing(Protocol):
    """Opens a browser; the fixture `hearing` describes the names of recordings."""

    def __call__(self, name: str | None) -> AbstractAsyncContextManager[Browser]: ...


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of silence."""
    return voice.silence(tmp_path_factory.mktemp("voice") / "silence.wav")


class SilentBrowser:
    """One browser for all tests whose microphone is silent: each opens pages of its own in it.

    It is started for the first of them, and again where it has crashed.
    """

    def __init__(self, silence: Path, stack: AsyncExitStack) -> None:
        self.silence = silence
        self.stack = stack
        self.running: Browser | None = None

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Browser]:
        """The browser, whose pages are closed afterwards."""
        if self.running is None or not self.running.is_connected():
            self.running = await self.stack.enter_async_context(chromium.hearing(self.silence))
        try:
            yield self.running
        finally:
            for context in self.running.contexts:
                await context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def silent_browser(silence: Path) -> AsyncIterator[SilentBrowser]:
    async with AsyncExitStack() as stack:
        yield SilentBrowser(silence, stack)


@pytest.fixture
def hearing(silent_browser: SilentBrowser) -> Hearing:
    """Opens browsers with a fake microphone.

    `hearing("silence")` plays silence into it, to which `chromium.say` adds a voice, and
    `hearing(None)` denies access to the microphone.
    """
    chromium.skip_if_missing()

    def browser(name: str | None) -> AbstractAsyncContextManager[Browser]:
        if name is None:
            return chromium.hearing(None)
        assert name == "silence"
        return silent_browser.lend()

    return browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser(silent_browser: SilentBrowser) -> AsyncIterator[Browser]:
    """For all tests of a module: none of their calls is heard."""
    chromium.skip_if_missing()
    async with silent_browser.lend() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def firefox_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Connection]:
    """A real Firefox, which all of the tests share: each opens a tab of its own."""
    if firefox.executable() is None:
        pytest.skip(firefox.MISSING)
    async with AsyncExitStack() as stack:
        try:
            running = firefox.running(tmp_path_factory.mktemp("firefox"))
            browser = await stack.enter_async_context(running)
        except firefox.NotUsable as reason:  # a snap's launcher, for one
            pytest.skip(str(reason))
        yield browser


@pytest.fixture
def axe_is_here() -> None:
    try:
        accessibility.axe()
    except NotHere as reason:
        pytest.skip(str(reason))


ELSEWHERE = "http://pages.localhost"
"""A listed origin that is not the gateway's. Its pages come from the tests."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack() -> AsyncIterator[Stack]:
    """Emulator, function host and gateway, as `dev.py up` runs them."""
    limits = {"LIMIT_STARTS_PER_MINUTE": "0", "LIMIT_LIVE_CALLS": "0"}
    async with Stack(env={**limits, "ALLOWED_ORIGINS": ELSEWHERE}) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def emulator(stack: Stack) -> AsyncIterator[Emulator]:
    """The stack's emulator, reset before and after each test."""
    async with aiohttp.ClientSession() as http:
        emulator = Emulator(http, stack.emulator_url)
        await emulator.reset()
        yield emulator
        await emulator.reset()


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
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
        "TRANSCRIPTS": "on",
        "RECORDINGS": "on",
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
        await emulator.live_sessions(0)
        await emulator.reset()
