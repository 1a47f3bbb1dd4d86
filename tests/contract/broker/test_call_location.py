"""A call's Location leads to the call wherever the app is served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urljoin
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from local.host.app import FunctionHost
from local.host.config import read_host_json
from local.host.indexing import index_functions
from local.host.loading import load_app
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from shared.storage.memory import MemoryStorage
from tests.support.broker_programs import ROOT
from tests.support.offers import OFFER
from tests.support.programs import running
from tests.support.scripted_endpoint import Said, Upstream

SDP = {"Content-Type": "application/sdp"}
HANGUP = "/openai/v1/realtime/calls/rtc_0123456789abcdef0123456789abcdef/hangup"


@pytest.fixture(autouse=True)
def broker(settings: dict[str, str], endpoint: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    settings["CALLER_AUTH"] = "anonymous"
    endpoint.on(HANGUP, Said(200))
    monkeypatch.setattr(lazy_broker, "PROCESS", LazyBroker(settings))


def host(route_prefix: str) -> web.Application:
    config = replace(read_host_json(ROOT / "host.json"), route_prefix=route_prefix)
    functions = index_functions(load_app(ROOT), route_prefix=route_prefix)
    return FunctionHost(functions, config, MemoryStorage(), threads=2).make_app()


@asynccontextmanager
async def ingress(path: str, target: str) -> AsyncIterator[str]:
    """An ingress that serves the app at `target` under `path`, of which the app sees nothing."""
    async with aiohttp.ClientSession() as session:

        async def forward(request: web.Request) -> web.Response:
            url = target + request.raw_path.removeprefix(path)
            body, kept = await request.read(), {"Content-Type": request.content_type}
            async with session.request(request.method, url, data=body, headers=kept) as answer:
                passed = {
                    k: v for k, v in answer.headers.items() if k in ("Location", "Content-Type")
                }
                return web.Response(status=answer.status, body=await answer.read(), headers=passed)

        app = web.Application()
        app.router.add_route("*", path + "/{rest:.*}", forward)
        async with TestServer(app) as server:
            yield str(server.make_url(path))


async def start_and_hang_up(session: aiohttp.ClientSession, url: str, endpoint: Upstream) -> str:
    """Starts a call at `url` and hangs it up at its Location; returns that."""
    ended = endpoint.count(HANGUP)
    async with session.post(url, data=OFFER, headers=SDP) as started:
        assert started.status == 201, await started.text()
        location = started.headers["Location"]
    call = urljoin(url, location)
    async with session.get(call) as shown:
        assert (await shown.json())["status"] == "live"
    async with session.post(f"{call}/hangup") as answer:
        assert answer.status == 204
    assert endpoint.count(HANGUP) == ended + 1
    return location


@pytest.mark.parametrize("route_prefix", ["api", "", "voice", "voice/v2"])
@pytest.mark.parametrize("route", ["connect", "session", "connect/", "connect?profile=help-desk"])
async def test_with_any_route_prefix(endpoint: Upstream, route_prefix: str, route: str) -> None:
    async with running(host(route_prefix)) as url, aiohttp.ClientSession() as session:
        base = "/".join(part for part in (url.rstrip("/"), route_prefix) if part)
        location = await start_and_hang_up(session, f"{base}/{route}", endpoint)
        assert not location.startswith("/")


@pytest.mark.parametrize("path", ["/voice", "/apps/voice/api", "/api/api"])
async def test_behind_an_ingress_that_takes_a_path_off(endpoint: Upstream, path: str) -> None:
    async with (
        running(host("api")) as url,
        ingress(path, url.rstrip("/") + "/api") as outside,
        aiohttp.ClientSession() as session,
    ):
        await start_and_hang_up(session, f"{outside}/connect", endpoint)


async def test_a_registered_call_too(endpoint: Upstream) -> None:
    async with running(host("voice")) as base, aiohttp.ClientSession() as session:
        url = base.rstrip("/") + "/voice"
        async with session.post(f"{url}/token") as token:
            assert token.status == 200
        call = {"call_id": f"rtc_{uuid4().hex}"}
        async with session.post(f"{url}/calls", json=call) as registered:
            assert registered.status == 201
            found = urljoin(f"{url}/calls", registered.headers["Location"])
        async with session.get(found) as shown:
            assert (await shown.json())["status"] == "live"


async def test_the_contract_names_the_address_that_it_is_served_at() -> None:
    async with running(host("voice/v2")) as base, aiohttp.ClientSession() as session:
        at = base.rstrip("/") + "/voice/v2/openapi.json"
        async with session.get(at) as answer:
            server = (await answer.json())["servers"][0]["url"]
        async with session.get(urljoin(at, f"{server}/health")) as health:
            assert (await health.json()) == {"status": "ok"}
