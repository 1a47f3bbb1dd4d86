"""The function app on the local host, in a thread of its own, for tests that are not async."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from local.host.app import open_app
from realtime_emulator.serving.trusted_hosts import TrustedHosts
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from tests.support.app_settings import app_settings
from tests.support.live_replies import serve_live
from tests.support.loop_thread import loop_in_thread
from tests.support.programs import running
from tests.support.scripted_endpoint import Upstream, answer_reply, key_reply, upstream

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Running:
    """A served app, the endpoint behind it, and a session to call it with."""

    url: str
    endpoint: Upstream
    session: requests.Session


@contextmanager
def scripted_endpoint() -> Iterator[Upstream]:
    """An endpoint that mints keys and answers offers, of either API."""
    with upstream() as script:
        script.on("/openai/v1/realtime/client_secrets", key_reply())
        script.on("/openai/v1/realtime/calls", answer_reply())
        serve_live(script)
        yield script


@contextmanager
def running_app(*, names: Sequence[str] = (), **changes: str) -> Iterator[Running]:
    """Serves the app, also by the host names in `names`; `changes` are app settings."""
    before = lazy_broker.PROCESS
    with (
        scripted_endpoint() as endpoint,
        requests.Session() as session,
        loop_in_thread() as run,
    ):
        session.trust_env = False
        lazy_broker.PROCESS = LazyBroker(app_settings(endpoint.url, **changes))
        served = AsyncExitStack()
        url = run(
            served.enter_async_context(running(open_app(ROOT).make_app(TrustedHosts.of(names))))
        )
        try:
            yield Running(url, endpoint, session)
        finally:
            run(served.aclose())
            lazy_broker.PROCESS = before
