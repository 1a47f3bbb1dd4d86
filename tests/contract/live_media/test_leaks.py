"""Nothing is left of a session: no thread, no socket, no task."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from realtime_emulator.call.services import Services
from tests.contract.live_media.session import live_call
from tests.support.voice import RATE, hiss, utterances

PROCESS = Path("/proc/self")


def threads() -> int:
    return len(list((PROCESS / "task").iterdir()))


def sockets() -> int:
    count = 0
    for link in (PROCESS / "fd").iterdir():
        try:
            count += str(link.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue
    return count


async def hold_a_session(services: Services) -> tuple[int, int, object]:
    """What a session in the middle of everything has, and the session, which is still held."""
    async with live_call(services) as (session, media, caller):
        media.say("One two three four five six seven eight nine ten.", "commentary")
        caller.say(utterances("hello.wav")[0] + hiss(1), RATE)
        await session.until(lambda: session.said and session.onsets)
        during = threads(), sockets()
    # The caller's encoder may still be at work on a last frame, with threads of its own.
    await asyncio.get_running_loop().run_in_executor(None, int)
    return *during, (session, media, caller)


@pytest.mark.skipif(not PROCESS.is_dir(), reason="only Linux lists a process's threads and files")
async def test_a_session_that_is_cut_off_leaves_nothing_behind(services: Services) -> None:
    # One thread in the pool: it does not grow.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    # The first may start some that are everybody's.
    await hold_a_session(services)
    gc.collect()
    gc.disable()
    try:
        before = threads(), sockets()
        more_threads, more_sockets, held = await hold_a_session(services)
        assert (more_threads > before[0], more_sockets > before[1]) == (True, True)
        # A thread that was joined is listed until the kernel is done with it, and nothing tells.
        for _ in range(1000):
            if (threads(), sockets()) == before:
                break
            await asyncio.sleep(0.01)
        assert (threads(), sockets()) == before
        assert held
        assert asyncio.all_tasks() == {asyncio.current_task()}
    finally:
        gc.enable()
