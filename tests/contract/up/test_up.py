"""The whole stack: what it starts, what it prints, and that nothing is left running."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from local.common.child_process import Child
from local.readiness import WRONG_SETTINGS, poll_health
from local.up import Stack, StackError, log_filter
from realtime_emulator.serving import server
from shared.config.settings_loader import load_settings
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.programs import ROOT, run, running

HERE = Path(__file__).parent
STUB = "tests.contract.up.stub_emulator"
PARTS = ("emulator", "identity", "host", "gateway")
SMALL = ("--emulator", STUB, "--app", str(HERE / "app"), "--site", str(HERE / "site"))


small = partial(Stack, emulator=STUB, app=HERE / "app", site=HERE / "site")


def listening(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


class Up:
    """`python -m local.up` as a separate process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""
        self.lines: list[str] = []

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each part, as printed."""
        found = (re.search(r"(\w+) at (http://\S+)", line) for line in self.lines)
        return {match[1]: match[2] for match in found if match}

    async def read(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def all_gone(self) -> bool:
        """Waits until no part listens any more. Polls, because nothing signals a free port."""
        async with asyncio.timeout(PATIENCE):
            while any(listening(url) for url in self.urls.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return True


@asynccontextmanager
async def up(*arguments: str) -> AsyncIterator[Up]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.up", "--port", "0", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout
    started = Up(process)
    reading = asyncio.create_task(started.read())
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert line.startswith("ready http://127.0.0.1:"), started.lines
        started.url = line.split()[1]
        yield started
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def fetch(url: str, method: str = "GET") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, allow_redirects=False) as got,
    ):
        return got.status, await got.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_all_of_it(number: int) -> None:
    async with up(*SMALL) as started:
        assert (await fetch(started.url + "/api/health"))[0] == 200
        assert set(started.urls) == set(PARTS)
        started.process.send_signal(number)
        assert await started.ended() == 0
        assert not any(listening(url) for url in started.urls.values())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
async def test_nothing_outlives_a_killed_parent() -> None:
    async with up(*SMALL) as started:
        started.process.kill()
        await started.ended()
        assert await started.all_gone()


async def test_a_part_that_dies_is_named_and_ends_the_rest() -> None:
    async with up(*SMALL) as started:
        with pytest.raises(aiohttp.ClientError):
            await fetch(started.urls["emulator"] + "/die", "POST")
        assert await started.ended() == 1
        assert await started.all_gone()
    text = "\n".join(started.lines)
    assert "emulator ended with exit code 7" in text
    assert "told to die" in text


async def test_a_taken_port_is_one_sentence_and_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, errors = await run("local.up", *SMALL, "--port", port)
    assert (code, out) == (2, "")
    assert len(errors.splitlines()) == 1
    assert port in errors


async def test_an_app_that_cannot_be_served_is_said_once_and_2() -> None:
    wrong = str(HERE.parent / "host" / "apps" / "missing_out")
    [port] = free_ports(1)
    code, out, errors = await run("local.up", *SMALL, "--app", wrong, "--port", str(port))
    assert (code, out) == (2, "")
    assert errors.count("func.Out") == 1
    assert not listening(f"http://127.0.0.1:{port}")


async def test_a_port_that_is_none_is_one_sentence_and_2() -> None:
    code, out, errors = await run("local.up", "--port", "99999")
    assert (code, out) == (2, "")
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].endswith("99999 is not a port, which is 0 to 65535")


@pytest.mark.parametrize("text", ["-1", "65536", "8o", "", "\u0661", "1.0"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a port"):
        server.parse_port(text)
    assert server.parse_port("65535") == 65535


async def test_wrong_settings_are_told_once_and_2() -> None:
    [port] = free_ports(1)
    settings = {"LIMIT_CALL_SECONDS": "many", "OBSERVER": "sometimes"}
    code, out, errors = await run(
        "local.up", "--emulator", STUB, "--port", str(port), environment=settings
    )
    assert (code, out) == (2, "")
    for name in settings:
        assert errors.count(f"{name}: expected") == 1
    assert errors.splitlines()[-1].endswith(WRONG_SETTINGS)
    assert "answers 503" not in errors


async def test_an_answer_of_health_is_told_once_however_often_it_comes() -> None:
    left = [200, 200, 503, 503, 502, 503, 503]
    problem = {"code": "storage_unavailable", "detail": "Gone.", "hint": "Wait.", "request_id": ""}

    async def health(_: web.Request) -> web.Response:
        problem["request_id"] += "x"
        return web.json_response(problem, status=left.pop())

    app = web.Application()
    app.router.add_get("/api/health", health)
    told: list[str] = []
    async with running(app) as url:
        await poll_health(url, told.append)
    words = "storage_unavailable: Gone. Wait.; asking again"
    assert told == [f"/api/health answers {status}: {words}" for status in (503, 502, 503)]
    assert len(left) == 1


async def test_what_the_function_app_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_API_KEY", "a real one")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "a real one")
    monkeypatch.setenv("LIMIT_LIVE_CALLS", "5")
    async with small(env={"LIMIT_CALL_SECONDS": "60"}) as stack, aiohttp.ClientSession() as session:
        async with session.get(stack.url + "/api/settings") as got:
            settings = await got.json()
        assert settings["REALTIME_PROVIDER"] == "azure"
        assert settings["REALTIME_ENDPOINT"] == stack.emulator_url
        assert settings["CALLER_AUTH"] == "static-web-apps,anonymous"
        assert settings["IDENTITY_ENDPOINT"].startswith(stack.identity_url)
        assert settings["LIMIT_CALL_SECONDS"] == "60"
        assert settings["LIMIT_LIVE_CALLS"] == "5"
        assert "a real one" not in settings.values()
        async with session.get(stack.url + "/") as got:
            policy = got.headers["Content-Security-Policy"]
        assert policy == f"default-src 'self'; connect-src 'self' {stack.emulator_url}"
        assert await fetch(stack.url + "/api/closed") == (200, "nobody")


async def test_several_emulators_are_endpoints_of_one_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REALTIME_ENDPOINTS", "those of a real deployment")
    async with small(endpoints=2) as stack:
        _, told = await fetch(stack.url + "/api/settings")
        assert all(map(listening, stack.emulator_urls))
    settings = load_settings(json.loads(told), ROOT)
    assert [(each.name, each.url) for each in settings.endpoints] == [
        ("local-1", stack.emulator_url),
        ("local-2", stack.emulator_urls[1]),
    ]
    emulators = {child.name for child in stack.children} - set(PARTS)
    assert emulators == {"emulator-1", "emulator-2"}, "numbered as the endpoints are"
    assert not any(map(listening, stack.emulator_urls))


async def test_with_login_nobody_is_let_in_unnamed() -> None:
    async with small(login=True, provider="openai") as stack:
        assert (await fetch(stack.url + "/api/closed"))[0] == 401
        _, settings = await fetch(stack.url + "/api/settings")
    assert '"CALLER_AUTH": "static-web-apps"' in settings
    assert '"REALTIME_PROVIDER": "openai"' in settings
    assert '"REALTIME_API_KEY": "sk-local-' in settings


async def test_names_are_allowed_from_the_gateway_to_the_app() -> None:
    async with small(allow_hosts=["tunnel.example"]) as stack, aiohttp.ClientSession() as session:
        for host, status in {"tunnel.example": 200, "evil.example": 421}.items():
            for url in (stack.url, stack.host_url):
                async with session.get(url + "/api/health", headers={"Host": host}) as got:
                    assert got.status == status, (host, url)


async def test_a_stack_says_when_it_has_lost_a_part() -> None:
    async with small() as stack:
        lost = asyncio.create_task(stack.wait_for_loss())
        with pytest.raises(aiohttp.ClientError):
            await fetch(stack.emulator_url + "/die", "POST")
        error = await asyncio.wait_for(lost, PATIENCE)
        assert "emulator" in str(error)
    assert not any(listening(url) for url in (stack.url, stack.host_url))


@pytest.mark.skipif(os.name == "nt", reason="it stops a process by a POSIX signal")
async def test_a_part_that_does_not_listen_is_ended_all_the_same() -> None:
    async with small() as stack:
        await fetch(stack.emulator_url + "/deaf", "POST")
        async with asyncio.timeout(PATIENCE):
            await stack.__aexit__(None, None, None)
    assert not listening(stack.emulator_url)


async def test_a_stack_that_cannot_start_leaves_nothing() -> None:
    stack = small(env={"PYTHON_THREADPOOL_THREAD_COUNT": "many"})
    with pytest.raises(StackError, match="host"):
        await stack.__aenter__()
    assert [child.name for child in stack.children] == ["emulator", "identity", "host"]
    assert not listening(stack.emulator_url)
    assert all(isinstance(c, Child) and c.process.returncode is not None for c in stack.children)


def test_a_quiet_log_shows_calls_and_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "INFO local.gateway.proxy: POST /api/connect 201 (84 ms)",
        "INFO local.gateway.proxy: GET /api/health 200 (1 ms)",
        "INFO local.host.app: started",
        "ERROR local.host.app: function a failed",
        "Traceback (most recent call last):",
        "ValueError",
        "DEBUG local.host.app: more",
        "  of the same",
    ]
    for line in lines:
        log_filter_quiet("host", line)
    assert capsys.readouterr().err.splitlines() == [
        "[host] POST /api/connect 201 (84 ms)",
        "[host] ERROR local.host.app: function a failed",
        "[host] Traceback (most recent call last):",
        "[host] ValueError",
    ]


log_filter_quiet = log_filter(verbose=False)


@pytest.mark.skipif(
    not (ROOT / "function_app.py").exists(), reason="there is no function_app.py yet"
)
async def test_the_real_parts_start_and_a_key_can_be_had() -> None:
    async with Stack() as stack:
        status, body = await fetch(stack.url + "/api/token", "POST")
    assert status == 200, body
    assert stack.emulator_url in body
