"""Waits until the stack answers /api/health, or says why it never will."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import aiohttp

RETRY = timedelta(milliseconds=50)
FAILED = 1
Say = Callable[[str], None]


class StackError(Exception):
    """The stack cannot start, or a part has exited. `lines` are the last of that part's log."""

    def __init__(self, message: str, lines: Sequence[str] = (), code: int = FAILED) -> None:
        super().__init__(message)
        self.lines = tuple(lines)
        self.code = code


async def wait_until_healthy(
    url: str, loss: Callable[[], Awaitable[StackError]], limit: timedelta, say: Say
) -> None:
    """Waits until /api/health answers 200 through the gateway at `url`.

    `loss` returns when a part has exited. Raises `StackError`, also after `limit`.
    """
    lost = asyncio.ensure_future(loss())
    asking = asyncio.create_task(poll_health(url, say))
    try:
        await asyncio.wait(
            {lost, asking}, timeout=limit.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if asking.done():
            await asking
        elif lost.done():
            raise lost.result()
        else:
            raise StackError("the function app does not answer /api/health.")
    finally:
        lost.cancel()
        asking.cancel()


async def poll_health(url: str, say: Say) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url + "/api/health") as answer:
                if answer.status == 200:
                    return
                detail = (await answer.text())[:500]
            if answer.status not in (502, 503):
                raise StackError(f"/api/health answers {answer.status}: {detail}")
            say(f"/api/health answers {answer.status}: {detail[:300]}")
            await asyncio.sleep(RETRY.total_seconds())
