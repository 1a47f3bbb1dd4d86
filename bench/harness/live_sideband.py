"""A stand-in for the sidebands of many Live calls, each with reflected audio of both sides.

    python -m bench.harness.live_sideband --seconds 30 --certificate pair.pem [--silent]

From the moment that it is observed a call sends five frames a second of each side's audio, 200 ms
each, as recorded (128 kB a second together); the words that are said, in turns; a snapshot of its
usage every 14 s; and at its end `session.closed`. What it says is known (`words_of`), so a record
can be checked against it. `--silent` leaves the audio out. A call named `burst…` sends `BURST`
frames of audio as fast as they are read, with a break now and then, and is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bench.harness.sideband_server import push, serve_sidebands
from realtime_emulator.serving import server

STEP_MS = 200
STEPS_PER_SECOND = 5
WORDS = 8
TURN_STEPS = 30
"""A turn of the caller's, one of the model's, and silence: 16 words in 6 s."""
USAGE_STEPS = 14 * STEPS_PER_SECOND
BURST = 6_000
FRAMES_AT_ONCE = 20
CLOSE_TIMEOUT = timedelta(seconds=1)
SESSION = {"id": "live_bench", "model": "gpt-live-1", "status": "active", "expires_at": 1}
Event = dict[str, Any]


def words_of(call: str, turn: int, speaker: str) -> list[str]:
    """What is said in one turn, in fragments."""
    middle = [f" word{number}" for number in range(WORDS - 2)]
    return [f"{speaker.title()} {turn}", *middle, f" of {call}."]


def whole_turns(seconds: int) -> int:
    """A turn that the call is too short for is not begun."""
    return seconds * STEPS_PER_SECOND // TURN_STEPS


def turns_of(call: str, seconds: int) -> list[tuple[str, str]]:
    """All that is said, by whom."""
    turns = whole_turns(seconds)
    names = {"input": "user", "output": "assistant"}
    return [
        (role, "".join(words_of(call, turn, speaker)))
        for turn in range(turns)
        for speaker, role in names.items()
    ]


def audio_of(speaker: str, payload: str, start_ms: int) -> str:
    """A frame as recorded: compact, the type first."""
    if speaker == "input":
        return f'{{"type":"session.input_audio.append","audio":"{payload}"}}'
    times = f'"start_ms":{start_ms},"end_ms":{start_ms + STEP_MS}'
    return f'{{"type":"session.output_audio.delta","delta":"{payload}",{times}}}'


def events_at(call: str, step: int, turns: int) -> Iterator[Event]:
    """What happens at one step besides audio, in a call of so many turns."""
    turn, place = divmod(step, TURN_STEPS)
    speaker, word = ("input", place) if place < WORDS else ("output", place - WORDS)
    if word < WORDS and turn < turns:
        about = {"start_ms": step * STEP_MS, "end_ms": (step + 1) * STEP_MS}
        delta = words_of(call, turn, speaker)[word]
        yield {"type": f"session.{speaker}_transcript.delta", "delta": delta, **about}
    if step and step % USAGE_STEPS == 0:
        seconds = float(step // STEPS_PER_SECOND)
        yield {"type": "session.usage.updated", "usage": {"seconds": seconds}}


class LiveSidebands:
    """All calls. One that has been sent to its end is over."""

    def __init__(self, seconds: int, *, silent: bool) -> None:
        self.seconds = seconds
        self.silent = silent
        self.ended: set[str] = set()
        noise = random.Random(1).randbytes(STEP_MS * 48)
        self.payload = base64.b64encode(noise).decode()

    def refusal(self, path: str) -> str:
        return "there is no such session\n" if call_of(path) in self.ended else ""

    async def send_call(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        call = call_of(connection.request.path)
        if call.startswith("burst"):
            await self.send_burst(connection)
            return
        # Calls do not begin together.
        await asyncio.sleep(random.random())
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        try:
            for step in range(self.seconds * STEPS_PER_SECOND):
                if not self.silent:
                    for speaker in ("input", "output"):
                        push(connection, audio_of(speaker, self.payload, step * STEP_MS))
                for event in events_at(call, step, whole_turns(self.seconds)):
                    number += 1
                    event["event_id"] = f"event_{number}"
                    push(connection, json.dumps(event))
                if connection.close_code is not None:
                    return
                due += STEP_MS / 1000
                await asyncio.sleep(max(0.0, due - loop.time()))
            usage = {"seconds": float(self.seconds)}
            closed = {"type": "session.closed", "event_id": "event_0", "session": SESSION}
            self.ended.add(call)
            await connection.send(json.dumps({**closed, "reason": "expired", "usage": usage}))
            await connection.close()
        except ConnectionClosed:
            pass

    async def send_burst(self, connection: ServerConnection) -> None:
        """Begins once the client has sent something."""
        frames = [audio_of(speaker, self.payload, 0) for speaker in ("input", "output")]
        try:
            await connection.recv()
            for number in range(BURST):
                await connection.send(frames[number % 2])
                if number % FRAMES_AT_ONCE == 0:
                    await asyncio.sleep(0.001)
            await connection.close()
        except ConnectionClosed:
            pass


def call_of(path: str) -> str:
    """The id in `/v1/live/sessions/{id}/attach`."""
    return path.split("/sessions/", 1)[-1].split("/", 1)[0]


async def run(seconds: int, certificate: Path, *, silent: bool) -> None:
    sidebands = LiveSidebands(seconds, silent=silent)
    await serve_sidebands(
        sidebands.send_call, sidebands.refusal, certificate, close_timeout=CLOSE_TIMEOUT
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.harness.live_sideband", description=__doc__
    )
    parser.add_argument("--seconds", type=int, default=30, help="of a call")
    parser.add_argument("--silent", action="store_true", help="no audio")
    parser.add_argument("--certificate", type=Path, required=True, help="certificate and key, PEM")
    options = parser.parse_args(arguments)
    asyncio.run(run(options.seconds, options.certificate, silent=options.silent))
    return 0


if __name__ == "__main__":
    server.finish(main())
