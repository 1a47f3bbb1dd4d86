"""What passes the gateway to the API and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from local.gateway.app import Gateway, LiveConfig, make_app
from local.gateway.config import CONFIG_FILE
from local.gateway.proxy import ApiProxy
from local.gateway.static_files import Site
from tests.contract.gateway.conftest import gateway_before
from tests.support import raw_http, recording, sites
from tests.support.programs import running


def api_of(route: web.RouteDef) -> web.Application:
    app = web.Application()
    app.add_routes([route])
    return app


async def test_a_streamed_body_and_answer_are_not_held_back(tmp_path: Path) -> None:
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        assert await request.content.readany() == b"first"
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one")
        sent.set()
        await go_on.wait()
        assert await request.content.read() == b"second"
        await response.write(b"two")
        return response

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await sent.wait()
        yield b"second"

    async with (
        running(api_of(web.post("/api/trickle", trickle))) as backend,
        gateway_before(backend, sites.make(tmp_path)) as session,
        session.post("/api/trickle", data=body()) as got,
    ):
        assert await got.content.readany() == b"one"
        go_on.set()
        assert await got.content.read() == b"two"


async def test_a_body_that_breaks_off_in_a_bad_chunk_is_malformed(tmp_path: Path) -> None:
    """It is being passed on already, to an API that waits for the rest."""
    async with (
        running(recording.make_app()) as api,
        running(make_app(sites.make(tmp_path), api)) as url,
    ):
        head = raw_http.request("POST /api/echo", ["Transfer-Encoding: chunked"])
        reply = await raw_http.exchange(url, head, b"3\r\nabc\r\n", b"zz\r\n")
    assert (reply.status, reply.body) == (400, b"The request is malformed.\n")


async def test_no_api_is_502(tmp_path: Path) -> None:
    async with (
        gateway_before("http://127.0.0.1:9", sites.make(tmp_path)) as session,
        session.post("/api/open", data=b"x") as got,
    ):
        assert got.status == 502
        assert "function host" in await got.text()


async def test_a_slow_api_is_what_static_web_apps_says_after_45_seconds(tmp_path: Path) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    site = Site.open(sites.make(tmp_path))
    async with running(api_of(web.get("/api/slow", never))) as backend:
        slow = ApiProxy(backend, limit=timedelta(milliseconds=50))
        app = Gateway(
            site, LiveConfig(site.root / CONFIG_FILE, ()), slow, roles_on_api=True
        ).make_app()
        async with (
            running(app) as url,
            aiohttp.ClientSession(url) as session,
            session.get("/api/slow") as got,
        ):
            assert (got.status, await got.text()) == (500, "Backend call failure")


async def test_an_answer_that_breaks_off_is_not_passed_off_as_whole(tmp_path: Path) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.abort()
        return response

    async with (
        running(api_of(web.get("/api/breaks", breaks))) as backend,
        gateway_before(backend, sites.make(tmp_path)) as session,
    ):
        with pytest.raises(aiohttp.ClientError):
            async with session.get("/api/breaks") as got:
                await got.read()


async def test_what_is_between_two_neighbours_stays_there(client: aiohttp.ClientSession) -> None:
    headers = {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers"}
    async with client.get("/api/open", headers=headers) as got:
        assert got.headers["X-Seen-Hop"] == ""


async def test_the_api_is_told_where_the_browser_was(client: aiohttp.ClientSession) -> None:
    forged = {"X-Forwarded-Host": "example.com", "X-MS-Original-URL": "https://example.com/"}
    async with client.post("/connect?profile=a", headers=forged) as got:
        assert got.headers["X-Seen-Original"] == str(got.url)
        assert got.headers["X-Seen-Forwarded"] == got.url.authority
        assert got.headers["X-Seen-Host"] == got.url.authority
        assert got.headers["X-Seen-Path"] == "/api/connect?profile=a"


async def test_a_location_on_the_apis_own_address_becomes_the_gateways(tmp_path: Path) -> None:
    async def moved(request: web.Request) -> web.Response:
        return web.Response(status=201, headers={"Location": f"{backend}/api/calls/abc"})

    async with (
        running(api_of(web.get("/api/moved", moved))) as backend,
        gateway_before(backend, sites.make(tmp_path)) as session,
        session.get("/api/moved") as got,
    ):
        assert got.headers["Location"] == f"{got.url.origin()}/api/calls/abc"


async def test_a_range_of_the_apis_answer_is_passed_on(tmp_path: Path) -> None:
    """Players of recordings ask for one after the other."""

    async def part(request: web.Request) -> web.Response:
        asked = request.headers["Range"]
        headers = {"Content-Range": "bytes 2-4/9", "Accept-Ranges": "bytes", "X-Asked": asked}
        return web.Response(status=206, body=b"cde", headers=headers, content_type="audio/wav")

    async with (
        running(api_of(web.get("/api/calls/1/recording", part))) as behind,
        gateway_before(behind, sites.make(tmp_path)) as session,
        session.get("/api/calls/1/recording", headers={"Range": "bytes=2-4"}) as got,
    ):
        assert (got.status, await got.read()) == (206, b"cde")
        assert got.headers["X-Asked"] == "bytes=2-4"
        assert got.headers["Content-Range"] == "bytes 2-4/9"
        assert (got.headers["Accept-Ranges"], got.content_type) == ("bytes", "audio/wav")
