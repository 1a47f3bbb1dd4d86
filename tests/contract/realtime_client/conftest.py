"""A broker that observes calls and keeps transcripts, and the emulator that it calls."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.hostile.running import Stack, running_stack


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack() as running:
        yield running
