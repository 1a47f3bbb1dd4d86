"""The function app on the local host, in a thread of its own, for tests that are not async."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from aiohttp import web

from local.host.app import open_app
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from tests.support.app_settings import app_settings
from tests.support.loop_thread import loop_in_thread
from tests.support.scripted_endpoint import Upstream, answer_reply, key_reply, upstream

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Running:
    url: str
    endpoint: Upstream
    session: requests.Session


@contextmanager
def scripted_endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        script.on("/openai/v1/realtime/client_secrets", key_reply())
        script.on("/openai/v1/realtime/calls", answer_reply())
        yield script


@contextmanager
def running_app(**changes: str) -> Iterator[Running]:
    """The app, answering; `changes` are app settings."""
    before = lazy_broker.PROCESS
    with (
        scripted_endpoint() as endpoint,
        requests.Session() as session,
        loop_in_thread() as run,
    ):
        session.trust_env = False
        lazy_broker.PROCESS = LazyBroker(app_settings(endpoint.url, **changes))
        runner, url = run(serve())
        try:
            yield Running(url, endpoint, session)
        finally:
            run(runner.cleanup())
            lazy_broker.PROCESS = before


async def serve() -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(open_app(ROOT).make_app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"
