"""How long a test waits for what must happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

PATIENCE: Final = 60.0
"""Seconds. Only what hangs takes that long, even on a slow and busy machine."""


async def looking(within: float = PATIENCE) -> AsyncIterator[None]:
    """Comes round until so many seconds have passed, for what no event tells.

    The longer it has taken already, the longer the pauses, up to a third of a second: what asks
    often for half a minute takes the processor from what it waits for.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (passed := loop.time() - began) < within:
        yield
        await asyncio.sleep(min(max(passed / 20, 0.02), 0.3))
