"""A GPT-Live call of the page whose host is killed in the middle: the call goes on, another host
follows it, and its record has every line once and says from when to when nobody listened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from shared.observer.leases import LEASE_DURATION
from shared.storage.azure import open_storage
from shared.transcripts.record_lines import decode_lines
from shared.transcripts.transcript import Transcript, read_transcript
from shared.transcripts.writer import log_name
from tests.browser.conftest import Hearing
from tests.contract.record.conftest import poll_until
from tests.support.app_settings import app_settings
from tests.support.azurite import shared_azurite
from tests.support.chromium import probed_page, say
from tests.support.emulated import Emulator
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.programs import Program, program
from tests.support.voice import utterances

TAKEN_OVER = LEASE_DURATION.total_seconds() + PATIENCE


@asynccontextmanager
async def host_on(port: int, endpoint: str) -> AsyncIterator[Program]:
    """A host that observes calls, on the storage of all hosts."""
    settings = app_settings(
        endpoint,
        AzureWebJobsStorage=shared_azurite().connection,
        OBSERVER="eager",
        TRANSCRIPTS="on",
    )
    options = ("--port", str(port), "--without-local-settings", "--log", "warning")
    async with program("local.host", *options, environment=settings) as host:
        yield host


@asynccontextmanager
async def gateway_to(api: str) -> AsyncIterator[Program]:
    async with program("local.gateway", "--port", "0", "--roles", "off", "--api", api) as gateway:
        yield gateway


def observers(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda state: [one["observers"] for one in state["sessions"]] == [number]


class Record:
    """What is on record of one session."""

    def __init__(self, session_id: str) -> None:
        self.log = open_storage(shared_azurite().connection).log("transcripts")
        self.name = log_name(session_id)

    async def read(self) -> Transcript:
        return read_transcript(self.log.read(self.name))

    async def until_said(self, words: str) -> None:
        await poll_until(self.read, lambda found: words in spoken(found))

    def line_counts(self) -> tuple[int, int]:
        """The lines, and how many different ones they are."""
        content = self.log.read(self.name)
        return content.count(b"\n"), len({line.id for line in decode_lines(content)})


def spoken(transcript: Transcript) -> str:
    return " ".join(entry.text or "" for entry in transcript.entries)


async def ask(page: Page, recording: str, answer: str) -> None:
    await say(page, *utterances(recording))
    await expect(page.locator("#captions")).to_contain_text(answer, ignore_case=True)


@pytest.mark.timeout(240)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_spoken_call_whose_host_is_killed(hearing: Hearing) -> None:
    (port,) = free_ports(1)
    async with (
        program("realtime_emulator", "--port", "0") as emulated,
        gateway_to(f"http://127.0.0.1:{port}") as gateway,
        aiohttp.ClientSession() as http,
        hearing("silence") as browser,
    ):
        emulator = Emulator(http, emulated.url)
        async with host_on(port, emulated.url) as first:
            page = await probed_page(browser, speaks=True)
            await page.goto(f"{gateway.url}/?profile=live")
            await page.get_by_role("button", name="Start").click()
            await expect(page.locator("#connection")).to_have_text("Connected")
            state = await emulator.until(observers(1), "observed")
            record = Record(state["sessions"][0]["id"])
            await ask(page, "hello.wav", "help you today")
            await record.until_said("help you today")
            first.process.kill()
            await first.process.wait()
        await emulator.until(observers(0), "unobserved")
        await expect(page.locator("#connection")).to_have_text("Connected")
        async with host_on(port, emulated.url):
            await emulator.until(observers(1), "observed again", seconds=TAKEN_OVER)
            await ask(page, "weather.wav", "sky")
            await record.until_said("sky")
            await page.get_by_role("button", name="Stop").click()
            await expect(page.locator("#headline")).to_have_text("The call has ended.")
            await emulator.live_sessions(0)
            found = await poll_until(record.read, lambda one: one.ended is not None)
    lines, different = record.line_counts()
    assert lines == different, "a line is doubled"
    assert spoken(found).count("help you today") == 1
    gaps = [entry for entry in found.entries if entry.kind == "gap"]
    (gap,) = [entry for entry in gaps if entry.reason == "taken over"]
    assert gap.since is not None
    assert gap.until is not None
    assert gap.since < gap.until
