"""The gateway as a browser sees it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from local.gateway.app import Gateway, LiveConfig, make_app
from local.gateway.config import CONFIG_FILE, allow_connections
from local.gateway.config_parser import SiteConfigError, read_site_config
from local.gateway.proxy import ApiProxy, Authorization
from local.gateway.static_files import Site
from tests.support import raw_http, recording, sites
from tests.support.principals import encode_principal
from tests.support.programs import program, run, running

CSP = "Content-Security-Policy"


@asynccontextmanager
async def opened(site: Path, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(recording.make_app()) as api,
        running(make_app(site, api, **options)) as url,
        aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield session


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with opened(sites.make(tmp_path)) as session:
        yield session


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/client.js", "text/javascript; charset=utf-8"),
        ("/worklet.mjs", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/img/logo.svg", "image/svg+xml"),
        ("/app.webmanifest", "application/manifest+json"),
        ("/offer.sdp", "application/sdp"),
    ],
)
async def test_files_have_their_types(client: aiohttp.ClientSession, path: str, kind: str) -> None:
    async with client.get(path) as got:
        assert (got.status, got.headers["Content-Type"]) == (200, kind)
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    async with client.head(path) as got:
        assert (got.status, await got.read()) == (200, b"")


async def test_a_file_is_fetched_again_only_when_it_changed(
    client: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with client.get("/client.js") as got:
        tag = got.headers["ETag"]
        assert got.headers["Cache-Control"] == "no-cache"
    async with client.get("/client.js", headers={"If-None-Match": tag}) as got:
        assert (got.status, await got.read()) == (304, b"")
    (tmp_path / "client.js").write_text("export const a = 1;")
    async with client.get("/client.js", headers={"If-None-Match": tag}) as got:
        assert got.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/img/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/link.txt",
        "/%00",
        "/" + "a" * 5000,
    ],
)
async def test_nothing_outside_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    site = sites.make(tmp_path / "site", {})
    if os.name != "nt":
        (site / "link.txt").symlink_to(tmp_path / "secret.txt")
    async with opened(site) as session:
        base = URL(str(session._base_url))
        async with session.get(URL(f"http://{base.authority}{path}", encoded=True)) as got:
            assert got.status == 404
            assert b"secret" not in await got.read()


async def test_the_configuration_is_not_served(client: aiohttp.ClientSession) -> None:
    async with client.get(f"/{CONFIG_FILE}") as got:
        assert got.status == 404


async def test_nobody_says_who_they_are_but_the_gateway(client: aiohttp.ClientSession) -> None:
    forged = {
        "X-MS-CLIENT-PRINCIPAL": encode_principal(sites.ADMIN),
        "x-ms-client-principal-name": "anna",
        "X-MS-Client-Principal-Id": "1",
    }
    async with client.get("/api/open", headers=forged) as got:
        assert got.headers["X-Seen-Principal"] == ""
        assert got.headers["X-Seen-Principal-Name"] == ""
    async with client.get("/api/open", headers={**forged, **sites.cookie(sites.USER)}) as got:
        assert json.loads(base64.b64decode(got.headers["X-Seen-Principal"])) == sites.USER
        assert got.headers["X-Seen-Principal-Name"] == ""


@pytest.mark.parametrize("cookie", ["", "%%%", "bm90IGpzb24=", "e30=", "W10="])
async def test_a_cookie_that_cannot_be_read_is_nobody(
    client: aiohttp.ClientSession, cookie: str
) -> None:
    headers = {"Cookie": f"StaticWebAppsAuthCookie={cookie}"}
    async with client.get("/api/open", headers=headers) as got:
        assert (got.status, got.headers["X-Seen-Principal"]) == (200, "")
    async with client.post("/api/write", headers=headers, allow_redirects=False) as got:
        assert got.status == 302


@pytest.mark.parametrize(
    ("mode", "anonymous", "signed_in"),
    [
        (Authorization.REPLACE, "Bearer mine", "gateway's"),
        (Authorization.ALWAYS, "gateway's", "gateway's"),
        (Authorization.PASS, "Bearer mine", "Bearer mine"),
    ],
)
async def test_authorization(
    tmp_path: Path, mode: Authorization, anonymous: str, signed_in: str
) -> None:
    mine = {"Authorization": "Bearer mine"}
    async with opened(sites.make(tmp_path), authorization=mode) as client:
        for headers, expected in [
            (mine, anonymous),
            ({**mine, **sites.cookie(sites.USER)}, signed_in),
        ]:
            async with client.get("/api/open", headers=headers) as got:
                seen = got.headers["X-Seen-Authorization"]
            if expected == "gateway's":
                assert seen.startswith("Bearer ")
                assert seen != "Bearer mine"
            else:
                assert seen == expected


async def test_roles_off_asks_for_no_role_on_the_api(tmp_path: Path) -> None:
    async with opened(sites.make(tmp_path), roles_on_api=False) as client:
        async with client.post("/api/write") as got:
            assert (got.status, got.headers["X-Seen-Principal"]) == (200, "")
        async with client.post("/api/write", headers=sites.cookie(sites.USER)) as got:
            assert got.headers["X-Seen-Principal"]
        async with client.get("/private/", allow_redirects=False) as got:
            assert got.status == 302, "files keep theirs"


async def test_a_role_that_is_missing_is_403(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/admin/x", headers=sites.cookie(sites.USER)) as got:
        assert got.status == 403
    async with client.get("/api/admin/x", headers=sites.cookie(sites.ADMIN)) as got:
        assert got.status == 200


async def test_the_page_may_connect_where_it_is_told(tmp_path: Path) -> None:
    origins = ["http://127.0.0.1:8089", "ws://127.0.0.1:8089"]
    async with opened(sites.make(tmp_path), connect_src=origins) as client:
        async with client.get("/") as got:
            expected = f"default-src 'self'; connect-src 'self' {' '.join(origins)}"
            assert got.headers[CSP] == expected
        async with client.get("/api/open") as got:
            assert CSP not in got.headers


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("connect-src 'none'", "connect-src http://a"),
        ("default-src 'self'", "default-src 'self'; connect-src 'self' http://a"),
        ("default-src 'none'; img-src *", "default-src 'none'; img-src *; connect-src http://a"),
        ("img-src *", "img-src *"),
        ("connect-src http://a", "connect-src http://a"),
    ],
)
def test_connect_src(policy: str, expected: str) -> None:
    assert allow_connections(policy, ["http://a"]) == expected


async def test_a_changed_configuration_counts_at_once_and_a_wrong_one_does_not(
    client: aiohttp.ClientSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / CONFIG_FILE
    path.write_text('{"globalHeaders": {"X-Global": "changed"}}')
    async with client.get("/") as got:
        assert got.headers["X-Global"] == "changed"
    path.write_text('{"globalHeaders": {"X-Global": "wrong"}, "rotues": []}')
    async with client.get("/") as got:
        assert got.headers["X-Global"] == "changed"
    assert "rotues" in caplog.text


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

    api = web.Application()
    api.router.add_post("/api/trickle", trickle)
    async with (
        running(api) as backend,
        running(make_app(sites.make(tmp_path), backend)) as url,
        aiohttp.ClientSession(url) as session,
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
        running(make_app(sites.make(tmp_path), "http://127.0.0.1:9")) as url,
        aiohttp.ClientSession(url) as session,
        session.post("/api/open", data=b"x") as got,
    ):
        assert got.status == 502
        assert "function host" in await got.text()


async def test_a_slow_api_is_what_static_web_apps_says_after_45_seconds(tmp_path: Path) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    api = web.Application()
    api.router.add_get("/api/slow", never)
    site = Site.open(sites.make(tmp_path))
    async with running(api) as backend:
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

    api = web.Application()
    api.router.add_get("/api/breaks", breaks)
    async with (
        running(api) as backend,
        running(make_app(sites.make(tmp_path), backend)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        with pytest.raises(aiohttp.ClientError):
            async with session.get("/api/breaks") as got:
                await got.read()


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ('{"rotues": []}', "rotues"),
        ('{"routes": {}}', "routes"),
        ('{"routes": [{"route": "/a/*/b"}]}', "/a/*/b"),
        ('{"routes": [{"rout": "/a"}]}', "routes[0]"),
        ('{"routes": [{"route": "/a", "allowedRole": []}]}', "allowedRole"),
        ('{"routes": [{"route": "/a", "methods": ["get"]}]}', "get"),
        ('{"routes": [{"route": "/a", "redirect": "/b", "rewrite": "/c"}]}', "/a"),
        ('{"routes": [{"route": "/a", "redirect": "/b", "statusCode": 200}]}', "redirect"),
        ('{"responseOverrides": {"500": {}}}', "500"),
        ('{"navigationFallback": {}}', "rewrite"),
        ('{"globalHeaders": {"X": 1}}', "globalHeaders"),
        ('{"x": "' + "a" * 21_000 + '"}', "20 KiB"),
    ],
)
async def test_a_wrong_configuration_ends_the_program_with_2(
    tmp_path: Path, document: str, named: str
) -> None:
    path = tmp_path / CONFIG_FILE
    path.write_text(document)
    with pytest.raises(SiteConfigError) as refused:
        read_site_config(path)
    assert named in str(refused.value)


async def test_the_program_refuses_in_one_line_each(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text('{"rotues": [], "globalHeader": {}}')
    code, out, errors = await run("local.gateway", "--port", "0", "--site", str(tmp_path))
    assert (code, out) == (2, "")
    assert errors.splitlines() == [
        f"gateway: {CONFIG_FILE}: rotues: unknown section.",
        f"gateway: {CONFIG_FILE}: globalHeader: unknown section.",
    ]


async def test_a_taken_port_is_one_sentence_and_2(tmp_path: Path) -> None:
    site = str(sites.make(tmp_path))
    async with program("local.gateway", "--port", "0", "--site", site) as first:
        port = first.url.rpartition(":")[2]
        code, out, errors = await run("local.gateway", "--port", port, "--site", site)
        assert (code, out) == (2, "")
        assert len(errors.splitlines()) == 1
        assert port in errors
    assert first.process.returncode == 0


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

    api = web.Application()
    api.router.add_get("/api/moved", moved)
    async with (
        running(api) as backend,
        running(make_app(sites.make(tmp_path), backend)) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/api/moved") as got,
    ):
        assert got.headers["Location"] == f"{url}/api/calls/abc"


async def test_a_range_of_the_apis_answer_is_passed_on(tmp_path: Path) -> None:
    """Players of recordings ask for one after the other."""

    async def part(request: web.Request) -> web.Response:
        asked = request.headers["Range"]
        headers = {"Content-Range": "bytes 2-4/9", "Accept-Ranges": "bytes", "X-Asked": asked}
        return web.Response(status=206, body=b"cde", headers=headers, content_type="audio/wav")

    api = web.Application()
    api.router.add_get("/api/calls/1/recording", part)
    async with (
        running(api) as behind,
        running(make_app(sites.make(tmp_path), behind)) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/api/calls/1/recording", headers={"Range": "bytes=2-4"}) as got,
    ):
        assert (got.status, await got.read()) == (206, b"cde")
        assert got.headers["X-Asked"] == "bytes=2-4"
        assert got.headers["Content-Range"] == "bytes 2-4/9"
        assert (got.headers["Accept-Ranges"], got.content_type) == ("bytes", "audio/wav")
