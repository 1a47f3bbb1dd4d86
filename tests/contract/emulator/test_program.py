"""The emulator as a program."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from realtime_emulator.caller import Caller
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def program(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "realtime_emulator", *options),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    assert line.startswith("ready http://127.0.0.1:")
    return line.split()[1]


async def rest(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
@pytest.mark.parametrize("more", [(), ("--exit-with-parent",)])
async def test_it_stops_at_a_signal_and_says_nothing_else(more: tuple[str, ...]) -> None:
    async with program("--port", "0", *more) as process:
        await ready(process)
        process.send_signal(signal.SIGTERM)
        assert await rest(process) == (0, "", "")


async def test_it_stops_with_its_parent() -> None:
    async with program("--port", "0", "--provider", "openai", "--exit-with-parent") as process:
        await ready(process)
        assert process.stdin is not None
        process.stdin.close()
        assert await rest(process) == (0, "", "")


async def test_a_taken_port_is_one_sentence() -> None:
    async with program("--port", "0") as first:
        port = (await ready(first)).rsplit(":", 1)[1]
        async with program("--port", port) as second:
            code, out, err = await rest(second)
            assert (code, out) == (2, "")
            assert err.count("\n") == 1
            assert port in err


async def test_a_script_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"greting": "x"}', encoding="utf-8")
    async with program("--port", "0", "--script", str(file)) as process:
        code, out, err = await rest(process)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert "greting" in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
async def test_a_call_in_progress_ends_with_it() -> None:
    async with program("--port", "0") as process, Caller() as caller, ClientSession() as http:
        realtime = f"{await ready(process)}/openai/v1/realtime"
        session = {"type": "realtime", "model": "gpt-realtime"}
        async with http.post(
            f"{realtime}/client_secrets", json={"session": session}, headers={"api-key": "k"}
        ) as reply:
            key = (await reply.json())["value"]
        headers = {"Authorization": f"Bearer {key}"}
        async with http.post(
            f"{realtime}/calls", data=await caller.offer(), headers=headers
        ) as reply:
            await caller.accept(await reply.text())
        caller.send_event({"type": "response.create"})
        await caller.expect("output_audio_buffer.started")
        process.send_signal(signal.SIGTERM)
        assert await rest(process) == (0, "", "")
        async with asyncio.timeout(PATIENCE):
            await caller.closed.wait()
