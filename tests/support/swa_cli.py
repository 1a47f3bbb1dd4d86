"""Runs the Static Web Apps CLI, so that tests can compare the gateway with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.node import NotHere, package_file
from tests.support.ports import free_ports

STARTED = b"emulator started at"


def installed() -> Path:
    """The CLI's script. Skips the test, with the reason, where it cannot run."""
    if os.name == "nt":
        pytest.skip("the Static Web Apps CLI is ended by its process group; Windows has none")
    try:
        return package_file("@azure/static-web-apps-cli", "dist/cli/bin.js")
    except NotHere as reason:
        pytest.skip(str(reason))


@asynccontextmanager
async def swa_cli(site: Path, api: str) -> AsyncIterator[str]:
    """Runs the CLI in front of `site` and `api`; yields its URL."""
    script = installed()
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *("node", str(script), "start", str(site), "--api-devserver-url", api),
        *("--host", "127.0.0.1", "--port", str(port)),
        # It would prompt, and its child process would outlive it.
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        cwd=site,
        env={**os.environ, "SWA_CLI_APP_LOCATION": str(site), "NO_COLOR": "1", "FORCE_COLOR": "0"},
    )
    assert process.stdout
    heard: list[bytes] = []
    try:
        async with asyncio.timeout(30):
            while STARTED not in b"".join(heard[-1:]):
                line = await process.stdout.readline()
                assert line, b"".join(heard).decode()
                heard.append(line)
        draining = asyncio.create_task(process.stdout.read())
        yield f"http://127.0.0.1:{port}"
        draining.cancel()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
