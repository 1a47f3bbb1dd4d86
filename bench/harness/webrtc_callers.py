"""Callers of the emulator, in a process of their own: they cost as much as what they call.

    python -m bench.harness.webrtc_callers SPECIFICATION

Takes a `CallGroup` as JSON and prints what it measured as one line of JSON. Each caller is an
aiortc peer with a microphone that is never quite silent, a data channel, and ears.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Literal

import aiohttp
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from bench.harness.processes import ROOT, resource_usage
from realtime_emulator.caller import Caller
from tests.support.emulated import Emulator
from tests.support.voice import read_wav

QUESTION = ROOT / "tests" / "fixtures" / "voice" / "hello.wav"
STORY = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "story"}]}
TURN_SECONDS = 12.0
Activity = Literal["idle", "listens", "talks"]


@dataclass(frozen=True, slots=True)
class CallGroup:
    """`calls` at once to the emulator at `url`, whose process is `pid`, measured for `seconds`.

    `activity`: `idle`, silence both ways; `listens`, the emulator tells one story after another;
    `talks`, the caller speaks every `TURN_SECONDS` and is answered. The calls begin spread over the
    `settle` seconds before anything is measured.
    """

    url: str
    pid: int
    calls: int
    activity: Activity
    seconds: float
    settle: float = 3.0

    def json(self) -> str:
        return json.dumps(asdict(self))


class CountingCaller(Caller):
    """One caller, counting the audio frames and the answers that it hears."""

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
        url = f"{base}/openai/v1/realtime/calls?webrtcfilter=on"
        async with http.post(url, data=await self.offer(), headers=headers) as answer:
            answer.raise_for_status()
            await self.accept(await answer.text())

    async def act(self, activity: Activity, delay: float) -> None:
        """From `delay` seconds on, until it is cancelled."""
        await asyncio.sleep(delay)
        await {"idle": self.idle, "listens": self.ask_for_stories, "talks": self.talk}[activity]()

    async def idle(self) -> None:
        await asyncio.Event().wait()

    async def ask_for_stories(self) -> None:
        while True:
            self.send_event({"type": "conversation.item.create", "item": STORY})
            self.send_event({"type": "response.create"})
            await self.count_answer()

    async def talk(self) -> None:
        pcm, rate = read_wav(QUESTION)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.count_answers())
            while True:
                self.say(pcm, rate)
                await asyncio.sleep(TURN_SECONDS)

    async def count_answers(self) -> None:
        while True:
            await self.count_answer()

    async def count_answer(self) -> None:
        await self.expect("output_audio_buffer.stopped", timeout=120)
        self.turns += 1


async def run(group: CallGroup) -> dict[str, Any]:
    """Connects all callers, lets them settle, and measures the emulator over the window."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        key = await Emulator(http, group.url).key()
        callers = [CountingCaller() for _ in range(group.calls)]
        for caller in callers:
            stack.push_async_callback(caller.close)
        await asyncio.gather(*(caller.call(http, group.url, key) for caller in callers))
        async with asyncio.TaskGroup() as running:
            tasks = [
                running.create_task(caller.act(group.activity, group.settle * number / group.calls))
                for number, caller in enumerate(callers)
            ]
            await asyncio.sleep(group.settle)
            start, before = time.perf_counter(), resource_usage(group.pid)
            frames, turns = heard(callers)
            await asyncio.sleep(group.seconds)
            seconds, after = time.perf_counter() - start, resource_usage(group.pid)
            all_frames, all_turns = heard(callers)
            for task in tasks:
                task.cancel()
    cpu, call_seconds = after.cpu_since(before), group.calls * seconds
    return {
        "core_share": None if cpu is None else cpu / call_seconds,
        "frames_a_second": (all_frames - frames) / call_seconds,
        "turns": all_turns - turns,
        "memory_mib": after.memory,
        "seconds": seconds,
    }


def heard(callers: list[CountingCaller]) -> tuple[int, int]:
    """Frames and turns of all of them so far."""
    return sum(caller.frames for caller in callers), sum(caller.turns for caller in callers)


if __name__ == "__main__":
    measured = asyncio.run(run(CallGroup(**json.loads(sys.argv[1]))))
    sys.stdout.write(json.dumps(measured) + "\n")
