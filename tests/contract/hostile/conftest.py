"""One running stack for all hostile pages and upstreams."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.hostile.running import SCRIPT, Stack, running_stack


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="package")
async def after_faults(stack: Stack) -> AsyncIterator[None]:
    yield
    await stack.emulator.reset()
    await stack.emulator.change(SCRIPT)
