"""The gateway as a browser sees it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from local.gateway.config import CONFIG_FILE, allow_connections
from local.gateway.config_parser import SiteConfigError, read_site_config
from local.gateway.proxy import Authorization
from tests.contract.gateway.conftest import opened
from tests.support import sites
from tests.support.principals import encode_principal
from tests.support.programs import program, run

CSP = "Content-Security-Policy"


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
