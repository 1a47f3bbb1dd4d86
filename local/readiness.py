"""Waits until the stack answers /api/health, or says why it never will."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import aiohttp

from realtime_emulator.serving import server

RETRY = timedelta(milliseconds=50)
FAILED = 1
WRONG_SETTINGS = (
    "the function app's settings are wrong: its `misconfigured` lines above name each, and "
    "docs/settings.md says what each accepts."
)
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
    """Polls until the answer is 200. Another answer is reported when it changes. Wrong settings end
    it: they are read from the environment, which does not change."""
    told: object = None
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url + "/api/health") as answer:
                if answer.status == 200:
                    return
                text = await answer.text()
            code, detail = read_problem(text)
            if code == "misconfigured":
                raise StackError(WRONG_SETTINGS, code=server.CANNOT_START)
            if answer.status not in (502, 503):
                raise StackError(f"/api/health answers {answer.status}: {detail}")
            if told != (answer.status, code or detail):
                told = answer.status, code or detail
                say(f"/api/health answers {answer.status}: {detail}; asking again")
            await asyncio.sleep(RETRY.total_seconds())


def read_problem(text: str) -> tuple[str, str]:
    """The code of a problem, and what to show of it; of any other body, no code and its start."""
    try:
        problem = json.loads(text)
        return problem["code"], f"{problem['code']}: {problem['detail']} {problem['hint']}"
    except (ValueError, TypeError, KeyError):
        return "", text.strip()[:300]
