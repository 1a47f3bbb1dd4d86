"""Which names the local servers answer to, and which pages may drive them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.support.local_servers import KINDS, LocalServer, local_server
from tests.support.programs import program, run
from tests.support.raw_http import RawReply, exchange, request

FORM = b"userId=7&userDetails=Ann&userRoles=admin"
FORM_TYPE = "Content-Type: application/x-www-form-urlencoded"


async def ask(server: LocalServer, host: str | None, *headers: str) -> RawReply:
    line = request(server.line, [*server.headers, *headers], host=host)
    return await exchange(server.url, line)


@pytest.mark.parametrize("name", KINDS)
async def test_only_the_names_of_this_machine(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for host in ("127.0.0.1", "localhost:4280", "LocalHost", "[::1]:1", "[::1]", "127.1.2.3:9"):
            assert (await ask(server, host)).status == 200, host
        for host in (
            "evil.example",
            "evil.example:4280",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost.",
            "0.0.0.0",
            "192.168.1.5:4280",
            "[fe80::1]",
            "xn--e1afmkfd.example",
        ):
            reply = await ask(server, host)
            assert reply.status == 421, host
            assert b"--allow-host" in reply.body
            assert host.partition(":")[0].encode() not in reply.body
        for odd in (
            None,
            "",
            "a b",
            "localhost@evil.example",
            "localhost:x",
            "[::1",
            "a/b",
            "\xff",
        ):
            assert (await ask(server, odd)).status in (400, 421), odd


@pytest.mark.parametrize("name", KINDS)
async def test_refusals_have_the_servers_own_shape(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for host, status in (("evil.example", 421), (None, 400)):
            reply = await ask(server, host)
            assert reply.status == status
            if server.kind == "application/json":
                assert "--allow-host" in reply.body.decode() or status == 400
                assert json.loads(reply.body).keys() & {"error", "statusCode"}
            elif name == "host":
                assert (reply.body == b"") == (status == 400), "empty, as the real host's"
            else:
                assert reply.headers["content-type"].startswith(server.kind)


@pytest.mark.parametrize("name", KINDS)
async def test_a_target_that_names_another_host(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        method, path = server.line.split(" ")
        line = request(f"{method} http://evil.example{path}", server.headers)
        assert (await exchange(server.url, line)).status == 421


@pytest.mark.parametrize("name", KINDS)
async def test_names_can_be_added(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path, "Tunnel.Example", "192.168.1.5") as server:
        for host in ("tunnel.example", "TUNNEL.example:443", "192.168.1.5:80", "localhost"):
            assert (await ask(server, host)).status == 200, host
        for host in ("a.tunnel.example", "tunnel.example.evil.example", "192.168.1.6"):
            assert (await ask(server, host)).status == 421, host


async def test_a_websocket_is_refused_too(tmp_path: Path) -> None:
    async with local_server("emulator", tmp_path) as server:
        upgrade = (
            *("api-key: any", "Upgrade: websocket", "Connection: Upgrade"),
            *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        )
        line = "GET /openai/v1/realtime?call_id=rtc_1"
        assert (await exchange(server.url, request(line, upgrade))).status == 404
        evil = request(line, upgrade, host="evil.example")
        assert (await exchange(server.url, evil)).status == 421


FOREIGN = [
    ("Origin: https://evil.example",),
    ("Origin: null",),
    ("Origin: http://127.0.0.1:9",),
    ("Origin: http://localhost:4280",),
    ("Origin: http://[",),
    ("Sec-Fetch-Site: cross-site",),
    ("Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1"),
    ("Sec-Fetch-Site: same-origin", "Origin: https://evil.example"),
]
OWN = [
    (),
    ("Origin: http://127.0.0.1",),
    ("Origin: https://127.0.0.1",),
    ("Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1"),
    ("Sec-Fetch-Site: none",),
    ("Sec-Fetch-Site: same-origin", "Origin: https://tunnel.example"),
]


@pytest.mark.parametrize("path", ["/.auth/login/aad", "/login"])
async def test_a_page_of_another_site_cannot_sign_in(path: str, tmp_path: Path) -> None:
    async with local_server("gateway", tmp_path, "tunnel.example") as server:
        for headers in FOREIGN:
            sent = request(f"POST {path}", [FORM_TYPE, *headers], FORM)
            reply = await exchange(server.url, sent)
            assert (reply.status, "set-cookie" in reply.headers) == (403, False), headers
        for headers in OWN:
            sent = request(f"POST {path}", [FORM_TYPE, *headers], FORM)
            reply = await exchange(server.url, sent)
            assert (reply.status, "set-cookie" in reply.headers) == (303, True), headers


@pytest.mark.parametrize(
    "line",
    ["GET /emulator", "PATCH /emulator", "DELETE /emulator", "POST /emulator/calls/rtc_1/frames"],
)
async def test_a_page_of_another_site_cannot_control_the_emulator(
    line: str, tmp_path: Path
) -> None:
    async with local_server("emulator", tmp_path, "tunnel.example") as server:
        for headers in FOREIGN:
            reply = await exchange(server.url, request(line, headers, b"{}"))
            assert reply.status == 403, headers
            assert "error" in json.loads(reply.body)
        for headers in OWN:
            reply = await exchange(server.url, request(line, headers, b"{}"))
            assert reply.status == (404 if "frames" in line else 200), headers


async def test_pages_of_any_origin_may_still_post_offers(tmp_path: Path) -> None:
    async with local_server("emulator", tmp_path) as server:
        line = request("POST /openai/v1/realtime/calls", ["Origin: https://page.example"], b"v=0")
        reply = await exchange(server.url, line)
        assert reply.status == 401
        assert reply.headers["access-control-allow-origin"] == "*"


async def test_the_flag_and_the_name_of_a_codespace() -> None:
    environment = {
        "IDENTITY_HEADER": "local",
        "CODESPACE_NAME": "fluffy-lamp",
        "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
    }
    flags = ("--port", "0", "--allow-host", "tunnel.example", "--allow-host", "::2")
    async with program("local.azure.managed_identity", *flags, environment=environment) as server:
        for host, status in {
            "tunnel.example": 404,
            "[::2]:80": 404,
            "fluffy-lamp-0.app.github.dev": 404,
            "fluffy-lamp-1.app.github.dev": 421,
            "evil.example": 421,
        }.items():
            assert (await exchange(server.url, request("GET /", host=host))).status == status, host


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only 127.0.0.1 is set up")
async def test_without_a_flag_only_127_0_0_1_is_listened_on() -> None:
    for module in ("realtime_emulator", "local.azure.managed_identity"):
        environment = {"IDENTITY_HEADER": "local"}
        async with program(module, "--port", "0", environment=environment) as server:
            port = int(server.url.rpartition(":")[2])
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.2", port)


@pytest.mark.parametrize("name", ["https://tunnel.example", "tunnel.example:80", "a b", ""])
async def test_a_flag_that_is_no_name(name: str) -> None:
    code, _, errors = await run("realtime_emulator", "--allow-host", name)
    assert code == 2
    assert "is not a host name" in errors
