"""Starts the Static Web Apps CLI, so that a test can hold the gateway against it."""

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
    """The CLI's script. Skips the test, and says why, where it cannot be had."""
    if os.name == "nt":
        pytest.skip("the Static Web Apps CLI is ended by its process group, which Windows has not")
    try:
        return package_file("@azure/static-web-apps-cli", "dist/cli/bin.js")
    except NotHere as reason:
        pytest.skip(str(reason))


@asynccontextmanager
async def swa_cli(site: Path, api: str) -> AsyncIterator[str]:
    """Runs the CLI in front of `site` and `api`; gives its URL."""
    script = installed()
    [port] = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *("node", str(script), "start", str(site), "--api-devserver-url", api),
        *("--host", "127.0.0.1", "--port", str(port)),
        # It asks questions, and its own child would outlive it.
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
