"""Runs aiohttp applications and server programs for tests."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from realtime_emulator.serving.application import Runner
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def running(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serves `app` on a port of 127.0.0.1, a free one by default, and yields its URL."""
    runner = Runner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Program:
    """A server program: its URL once it is ready, and the lines of its stderr."""

    process: asyncio.subprocess.Process
    url: str
    errors: list[str] = field(default_factory=list)
    noted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each line."""

    async def line_with(self, words: str) -> str:
        """The first line of its stderr with these words, which may be still to come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.noted.clear()
                for line in self.errors:
                    if words in line:
                        return line
                await self.noted.wait()


@asynccontextmanager
async def program(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> AsyncIterator[Program]:
    """Starts `python -m module`, waits for its ready line, and ends it by closing its stdin."""
    process = await asyncio.create_subprocess_exec(
        *command(module, *arguments, "--exit-with-parent"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=cwd,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    started = Program(process, "")
    errors = process.stderr

    async def note() -> None:
        async for line in errors:
            started.errors.append(line.decode().rstrip())
            started.noted.set()

    noting = asyncio.create_task(note())
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert line.startswith("ready http"), (line, started.errors)
        started.url = line.removeprefix("ready ").strip()
        yield started
    finally:
        if process.returncode is None:
            process.stdin.close()
            await asyncio.wait_for(process.wait(), PATIENCE)
        await noting


async def run(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Runs a program to its end; returns its exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *command(module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
    )
    out, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


def command(module: str, *arguments: str) -> Sequence[str]:
    return (sys.executable, "-m", module, *arguments)
