"""A recording that is larger than one response, played by a real Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, Response, Route

from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_admission import ADMIN
from tests.contract.broker.test_recordings import Recorded, nothing_recorded, record
from tests.support import chromium
from tests.support.app_settings import LINKED

__all__ = ["nothing_recorded"]
SECONDS = 130
PLAYER = """<!doctype html><title>player</title><audio controls preload="metadata"></audio>"""
LOADED = """async (path) => {
  const audio = document.querySelector('audio');
  audio.src = path;
  await new Promise((resolve, reject) => {
    audio.onloadedmetadata = resolve;
    audio.onerror = () => reject(new Error(audio.error.message));
  });
  return audio.duration;
}"""
PLAYED = """async ([from, speed]) => {
  const audio = document.querySelector('audio');
  audio.muted = true;
  audio.playbackRate = speed;
  audio.currentTime = from;
  await new Promise((resolve, reject) => {
    audio.onended = resolve;
    audio.onerror = () => reject(new Error(audio.error.message));
    audio.play().catch(reject);
  });
  return audio.currentTime;
}"""


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, **LINKED}


@pytest.fixture
async def page(app: AppClient) -> AsyncIterator[Page]:
    chromium.skip_if_missing()
    async with chromium.hearing(None) as browser:
        opened = await browser.new_page(extra_http_headers=ADMIN)

        async def player(route: Route) -> None:
            await route.fulfill(body=PLAYER, content_type="text/html")

        await opened.route("**/player", player)
        await opened.goto(str(app.make_url("/player")))
        yield opened


async def test_it_is_played_and_sought_in_part_by_part(app: AppClient, page: Page) -> None:
    long = await record(app, SECONDS)
    seen: list[Response] = []
    page.on("response", lambda response: seen.append(response))
    duration: Any = await page.evaluate(LOADED, long.path)
    assert abs(duration - SECONDS) < 1
    ended: Any = await page.evaluate(PLAYED, [100, 4])
    assert abs(ended - duration) < 0.5
    ended = await page.evaluate(PLAYED, [0, 16])
    assert abs(ended - duration) < 0.5
    assert {response.status for response in seen} == {206}


async def test_it_is_played_as_a_page_of_its_own(app: AppClient, page: Page) -> None:
    short = await record(app, 4)
    assert isinstance(short, Recorded)
    await page.goto(str(app.make_url(short.path)))
    duration: Any = await page.evaluate(
        """async () => {
          const video = document.querySelector('video');
          while (!(video.duration > 0)) {
            if (video.error) throw new Error(video.error.message);
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          return video.duration;
        }"""
    )
    assert 3 < duration < 5
