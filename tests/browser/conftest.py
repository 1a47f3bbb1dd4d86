"""One running stack for all browser tests, and a browser for each."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from local.stack import Stack
from tests.support import chromium
from tests.support.emulated import Emulator
from tests.support.patience import PATIENCE

# Recognition and synthesis are slow on a busy machine. Tests wait for captions and never sleep.
expect.set_options(timeout=1000 * PATIENCE)


class Hearing(Protocol):
    """Opens a browser; the fixture `hearing` describes the names of recordings."""

    def __call__(self, name: str | None) -> AbstractAsyncContextManager[Browser]: ...


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of silence."""
    path = tmp_path_factory.mktemp("voice") / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(2 * 16_000 * 60))
    return path


@pytest.fixture
def hearing(silence: Path) -> Hearing:
    """Opens browsers with a fake microphone.

    `hearing("silence")` plays silence into it, to which `chromium.say` adds a voice, and
    `hearing(None)` denies access to the microphone.
    """
    if chromium.executable() is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine")

    def browser(name: str | None) -> AbstractAsyncContextManager[Browser]:
        recordings = {None: None, "silence": silence}
        return chromium.hearing(recordings[name])

    return browser


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
