"""Callers of the emulator, in a process of their own: they cost as much as what they call.

    python -m bench.harness.webrtc_callers SPECIFICATION

Takes a `Crowd` as JSON, gives what came of it as one line of JSON on stdout. Each caller is an
aiortc peer with a microphone that is never quite silent, a data channel and ears.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from bench.harness.processes import ROOT, weigh
from bench.measure.emulator import TURN, Crowd, Doing
from tests.contract.emulator.caller import Caller, wav

SAID = ROOT / "tests" / "fixtures" / "voice" / "hello.wav"
STORY = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "story"}]}


class Talker(Caller):
    """One caller, counting what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = self.turns = 0

    async def listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return
            self.frames += 1

    async def call(self, http: aiohttp.ClientSession, base: str, key: str) -> None:
        """Connects; returns when the data channel is open."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"}
        url = f"{base}/calls?webrtcfilter=on"
        async with http.post(url, data=await self.offer(), headers=headers) as answer:
            answer.raise_for_status()
            await self.accept(await answer.text())

    async def does(self, doing: Doing, wait: float) -> None:
        """One of the three, from `wait` seconds on until it is cancelled."""
        await asyncio.sleep(wait)
        await {"idle": self.idle, "listens": self.listens, "talks": self.talks}[doing]()

    async def idle(self) -> None:
        await asyncio.Event().wait()

    async def listens(self) -> None:
        while True:
            self.send({"type": "conversation.item.create", "item": STORY})
            self.send({"type": "response.create"})
            await self.expect("output_audio_buffer.stopped", timeout=120)
            self.turns += 1

    async def talks(self) -> None:
        pcm, rate = wav(SAID)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.answers())
            while True:
                self.say(pcm, rate)
                await asyncio.sleep(TURN)

    async def answers(self) -> None:
        while True:
            await self.expect("output_audio_buffer.stopped", timeout=120)
            self.turns += 1


async def key(http: aiohttp.ClientSession, base: str) -> str:
    body = {"session": {"type": "realtime", "model": "gpt-realtime"}}
    url = f"{base}/client_secrets"
    async with http.post(url, json=body, headers={"api-key": "of-the-bench"}) as answer:
        answer.raise_for_status()
        return str((await answer.json())["value"])


async def run(crowd: Crowd) -> dict[str, Any]:
    """Connects all, lets them settle, and weighs the emulator over the window."""
    base = f"{crowd.url}/openai/v1/realtime"
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        proof = await key(http, base)
        talkers = [Talker() for _ in range(crowd.calls)]
        for talker in talkers:
            stack.push_async_callback(talker.close)
        await asyncio.gather(*(talker.call(http, base, proof) for talker in talkers))
        async with asyncio.TaskGroup() as group:
            waits = (crowd.settle * number / crowd.calls for number in range(crowd.calls))
            works = [
                talker.does(crowd.doing, wait) for talker, wait in zip(talkers, waits, strict=True)
            ]
            tasks = [group.create_task(work) for work in works]
            await asyncio.sleep(crowd.settle)
            began, before = time.perf_counter(), weigh(crowd.pid)
            heard = sum(talker.frames for talker in talkers)
            turns = sum(talker.turns for talker in talkers)
            await asyncio.sleep(crowd.seconds)
            lasted, after = time.perf_counter() - began, weigh(crowd.pid)
            heard = sum(talker.frames for talker in talkers) - heard
            turns = sum(talker.turns for talker in talkers) - turns
            for task in tasks:
                task.cancel()
    cpu = None if before.cpu is None or after.cpu is None else after.cpu - before.cpu
    whole = crowd.calls * lasted
    return {
        "core_share": None if cpu is None else cpu / whole,
        "frames_a_second": heard / whole,
        "turns": turns,
        "memory_mib": after.memory,
        "seconds": lasted,
    }


if __name__ == "__main__":
    came_of_it = asyncio.run(run(Crowd(**json.loads(sys.argv[1]))))
    sys.stdout.write(json.dumps(came_of_it) + "\n")
