"""The gateway over a site, in front of an API that tells what it has seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from local.gateway.app import make_app
from tests.support import recording, sites
from tests.support.programs import running


@asynccontextmanager
async def gateway_before(
    api: str, site: Path, **options: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a gateway that serves this site before this API."""
    async with (
        running(make_app(site, api, **options)) as url,
        aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield session


@asynccontextmanager
async def opened(site: Path, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(recording.make_app()) as api,
        gateway_before(api, site, **options) as session,
    ):
        yield session


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with opened(sites.make(tmp_path)) as session:
        yield session
