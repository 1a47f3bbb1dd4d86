"""HTTP functions of the local host, called over HTTP."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from local.host.app import FunctionHost
from local.host.config import HostConfig, read_host_json
from local.host.connection import HostConnection
from local.host.indexing import index_functions
from local.host.invocation import thread_count
from local.host.loading import load_app
from shared.storage.interfaces import Storage
from shared.storage.memory import MemoryStorage
from tests.support.patience import PATIENCE
from tests.support.programs import running

APPS = Path(__file__).with_name("apps")


def host(config: HostConfig | None = None, storage: Storage | None = None) -> FunctionHost:
    config = config or read_host_json(APPS / "good" / "host.json")
    functions = index_functions(load_app(APPS / "good"), route_prefix=config.route_prefix)
    return FunctionHost(functions, config, storage or MemoryStorage(), threads=2)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(host().make_app()) as url,
        aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield session


async def test_the_default_route_is_the_functions_name(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/named") as answer:
        assert (answer.status, await answer.text()) == (200, "by its name")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_a_request_arrives_whole(client: aiohttp.ClientSession) -> None:
    headers = [("X-One", "1"), ("X-Many", "a"), ("X-Many", "b")]
    path = "/api/echo?q=1&q=2&r=%20&none=&Q=3"
    async with client.post(path, data=b"\x00v=0\r\n", headers=headers) as got:
        echo = await got.json()
    assert echo["method"] == "POST"
    assert echo["url"] == str(got.url)
    assert echo["params"] == {"q": "1,2,3", "r": " "}
    assert echo["body"] == "\x00v=0\r\n"
    assert echo["headers"]["x-one"] == "1"
    assert echo["headers"]["x-many"] == "a,b"
    assert echo["thread"].startswith("function_")


async def test_forms_and_files(client: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData()
    form.add_field("sdp", "v=0\r\no=- 1\r\n", content_type="application/sdp")
    form.add_field("upload", b"\xff\x00", filename="a.bin", content_type="application/x-a")
    async with client.post("/api/echo", data=form) as got:
        echo = await got.json()
    assert echo["form"] == {"sdp": "v=0\r\no=- 1\r\n"}
    assert echo["files"] == {"upload": ["a.bin", "\xff\x00"]}


async def test_an_answer_keeps_its_bytes_status_and_headers(client: aiohttp.ClientSession) -> None:
    async with client.post("/api/bytes", data=b"v=0\r\n\xff") as got:
        assert got.status == 201
        assert got.headers["Content-Type"] == "application/sdp"
        assert got.headers["Location"] == "/x"
        assert await got.read() == b"v=0\r\n\xff"


async def test_text_and_charset(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/text") as got:
        assert (got.status, await got.text()) == (200, "only a str")
    async with client.get("/api/latin") as got:
        assert got.headers["Content-Type"] == "text/plain; charset=iso-8859-1"
        assert await got.read() == b"\xe9"


async def test_every_cookie_is_its_own_header(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/cookies") as got:
        assert got.status == 204
        first, second = got.headers.getall("Set-Cookie")
    assert first.startswith("a=1;")
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= set(first.split("; "))
    assert second.startswith("b=2;")
    assert {"Secure", "Max-Age=60"} <= set(second.split("; "))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/users/7", ["number", {"id": "7"}]),
        ("GET", "/api/users/me", ["me", {}]),
        ("GET", "/api/users/anna", ["name", {"name": "anna"}]),
        ("GET", "/api/users/x", 404),
        ("POST", "/api/users/me", 404),
        ("POST", "/api/users/7", ["number", {"id": "7"}]),
        ("GET", "/api/files/a/b.txt", {"rest": "a/b.txt"}),
        ("GET", "/api/pages", {}),
        ("GET", "/api/pages/2", {"page": "2"}),
        ("DELETE", "/api/echo", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/named", 404),
        ("GET", "/api/fail", 500),
        ("GET", "/api/wrong", 500),
    ],
)
async def test_routes(
    client: aiohttp.ClientSession, method: str, path: str, expected: object
) -> None:
    async with client.request(method, path) as got:
        if isinstance(expected, int):
            assert (got.status, await got.read()) == (expected, b"")
        else:
            assert (got.status, await got.json()) == (200, expected)


async def test_a_failure_is_in_the_log_and_not_in_the_answer(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "local.host"):
        async with client.get("/api/fail") as got:
            assert await got.read() == b""
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "fail" in record.getMessage()
    assert record.exc_info
    assert "a detail that nobody may see" in str(record.exc_info[1])


async def test_the_context_of_an_invocation(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/context") as one, client.get("/api/context") as other:
        (first, name), (second, _) = await one.json(), await other.json()
    assert name == "context"
    assert first
    assert first != second


async def test_function_timeout(caplog: pytest.LogCaptureFixture) -> None:
    config = HostConfig(function_timeout=timedelta(milliseconds=50))
    async with (
        running(host(config).make_app()) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/api/slow") as got,
    ):
        assert (got.status, await got.read()) == (500, b"")
    assert "functionTimeout" in caplog.text


async def test_another_route_prefix() -> None:
    config = replace(HostConfig(), route_prefix="")
    async with (
        running(host(config).make_app()) as url,
        aiohttp.ClientSession(url) as session,
        session.get("/named") as got,
    ):
        assert await got.text() == "by its name"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/host/ping", 200),
        ("/Admin/Host/Ping/", 200),
        ("/admin/functions", 401),
        ("/admin/functions/named/keys", 401),
        ("/admin/host/status", 401),
        ("/admin/instance/info", 401),
        ("/admin/vfs/function_app.py", 401),
        ("/runtime/webhooks/durabletask/x", 401),
        ("/admin", 404),
        ("/admin/nothing", 404),
        ("/runtime/webhooks", 404),
    ],
)
async def test_the_hosts_own_routes_need_a_key_that_nobody_has(
    client: aiohttp.ClientSession, path: str, status: int
) -> None:
    async with client.get(path) as got:
        assert (got.status, await got.read()) == (status, b"")
        wants_key = status == 401 and "/vfs/" not in path
        assert got.headers.get("WWW-Authenticate") == ("Bearer" if wants_key else None)


@pytest.mark.parametrize("text", ["0", "33", "-1", "many"])
def test_a_wrong_number_of_threads_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PYTHON_THREADPOOL_THREAD_COUNT"):
        thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": text})


def test_the_number_of_threads_is_a_setting() -> None:
    assert thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "7"}) == 7
    assert thread_count({}) >= 1


async def test_synchronous_functions_run_at_once_up_to_that_number(tmp_path: Path) -> None:
    """Two functions that wait for each other can answer only if they run at the same time."""
    (tmp_path / "function_app.py").write_text(
        "import threading\nimport azure.functions as func\n\napp = func.FunctionApp()\n"
        f"both = threading.Barrier(2, timeout={PATIENCE})\n\n"
        "@app.route()\ndef meet(req: func.HttpRequest) -> str:\n    both.wait()\n    return 'met'\n"
    )
    server = FunctionHost(
        index_functions(load_app(tmp_path)), HostConfig(), MemoryStorage(), threads=2
    )
    async with running(server.make_app()) as url, aiohttp.ClientSession(url) as session:
        one, other = await asyncio.gather(session.get("/api/meet"), session.get("/api/meet"))
        assert (await one.text(), await other.text()) == ("met", "met")


async def test_nothing_of_a_closed_connection_waits_for_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgotten = asyncio.Event()

    class Watched(HostConnection):
        __slots__ = ("__weakref__",)

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            weakref.finalize(self, forgotten.set)

    monkeypatch.setattr("local.host.app.HostConnection", Watched)
    async with running(host().make_app()) as url:
        gc.disable()
        try:
            async with aiohttp.ClientSession(url) as session, session.get("/api/named") as answer:
                assert await answer.text() == "by its name"
            await asyncio.wait_for(forgotten.wait(), PATIENCE)
        finally:
            gc.enable()
