"""One running stack for every browser test, and a browser for each."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support import chromium
from tests.support.emulated import Emulator

VOICE = Path(__file__).resolve().parents[1] / "fixtures" / "voice"

# Recognising and speaking take their time on a busy machine; a caption is awaited, never slept for.
expect.set_options(timeout=30_000)


class Hearing(Protocol):
    """Gives a browser; what a recording is, `hearing` below says."""

    def __call__(
        self, name: str | None, *, repeated: bool = False
    ) -> AbstractAsyncContextManager[Browser]: ...


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of nobody speaking."""
    path = tmp_path_factory.mktemp("voice") / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(2 * 16_000 * 60))
    return path


@pytest.fixture
def hearing(silence: Path) -> Hearing:
    """`hearing("hello.wav")`: a browser into whose microphone that is spoken; `hearing("silence")`:
    nothing is; `hearing(None)`: the microphone is refused."""
    if chromium.executable() is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine")

    def browser(
        name: str | None, *, repeated: bool = False
    ) -> AbstractAsyncContextManager[Browser]:
        recordings = {None: None, "silence": silence}
        recording = recordings[name] if name in recordings else VOICE / str(name)
        return chromium.hearing(recording, repeated=repeated)

    return browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack() -> AsyncIterator[Any]:
    """Emulator, function host and gateway, as `dev.py up` runs them."""
    from local.up import Stack

    limits = {"LIMIT_STARTS_PER_MINUTE": "0", "LIMIT_LIVE_CALLS": "0"}
    async with Stack(env=limits) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def emulator(stack: Any) -> AsyncIterator[Emulator]:
    """The stack's emulator, fresh, and with no call left open by the test before."""
    async with aiohttp.ClientSession() as http:
        emulator = Emulator(http, stack.emulator_url)
        await emulator.reset()
        yield emulator
        await emulator.reset()
