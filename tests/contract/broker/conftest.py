"""The function app on the local host, in this process, against a scripted model's endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.host.app import open_app
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from shared.storage import memory
from tests.support.app_settings import app_settings
from tests.support.broker_programs import ROOT, scripted_endpoint
from tests.support.scripted_endpoint import Upstream

AppClient = TestClient[web.Request, web.Application]


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with scripted_endpoint() as script:
        yield script


@pytest.fixture
def settings(endpoint: Upstream) -> dict[str, str]:
    """The app settings; a test may change them before its first request."""
    return app_settings(endpoint.url)


@pytest.fixture
def own_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have counted does not count, nor the calls that they have left."""
    storage = memory.MemoryStorage()
    monkeypatch.setattr(memory, "process_storage", lambda: storage)


@pytest.fixture
async def app(
    settings: dict[str, str], own_storage: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AppClient]:
    monkeypatch.setattr(lazy_broker, "PROCESS", LazyBroker(settings))
    server = TestServer(open_app(ROOT).make_app())
    async with TestClient(server) as client:
        yield client
