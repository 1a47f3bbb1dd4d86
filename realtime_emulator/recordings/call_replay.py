"""Replays a recording of the Realtime API to the emulator, over the sideband of a call.

What came from its client is sent to the emulator, and turns of speech are put into the call's ears;
everything else must come from the emulator by itself, in the recorded order and with the recorded
fields. A run of deltas counts as one, because the model cuts its words as it likes.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from aiohttp import ClientWebSocketResponse

from realtime_emulator.call.call import Call
from realtime_emulator.call.stand_ins import StandInPeer
from realtime_emulator.recordings.comparison import Comparison
from realtime_emulator.recordings.format import Line, Recording
from realtime_emulator.recordings.planning import make_script
from realtime_emulator.recordings.stage import BEARER, OFFER, PATIENCE, OnEvent, Stage, staged

TRANSCRIBED: Final = "conversation.item.input_audio_transcription.completed"
AUDIO: Final = "response.output_audio.delta"
PLAYBACK: Final = ("output_audio_buffer.started", "output_audio_buffer.stopped")
SPEECH_RATE: Final = 16_000
TIMES: Final = {"text_delta_seconds": 0, "ahead_seconds": 3600}


async def replay_call(recording: Recording, on_event: OnEvent = lambda _: None) -> Comparison:
    """The differences. `on_event` gets every event that the emulator sends."""
    comparison = Comparison(recording.name, recording.is_masked)
    heard = tuple(str(event["transcript"]) for event in recording.sent(TRANSCRIBED))
    script = {**TIMES, **make_script(recording)}
    async with (
        staged(recording.provider, script, heard) as stage,
        attached(recording, stage) as socket,
    ):
        player = CallPlayer(stage, socket, comparison, on_event, recording.kind == "primary")
        for frame in expected_frames(recording):
            if not await player.play(frame):
                return comparison
        player.report_surplus()
    return comparison


def expected_frames(recording: Recording) -> list[Line]:
    """The frames to play: runs of deltas as one, and without what only a primary WebSocket has."""
    frames: list[Line] = []
    last: dict[str, str] = {}
    for frame in recording.frames:
        kind = frame["data"]["type"]
        if frame["dir"] == "in" and recording.kind == "primary" and kind == "session.created":
            continue
        if kind in (AUDIO, "input_audio_buffer.append"):
            continue
        if frame["dir"] == "out":
            last.clear()
        elif kind.endswith("delta") and last.get(lane_of(kind)) == kind:
            continue
        else:
            last[lane_of(kind)] = kind
        frames.append(frame)
    return frames


@asynccontextmanager
async def attached(recording: Recording, stage: Stage) -> AsyncIterator[ClientWebSocketResponse]:
    """The sideband of a call whose session is as it was asked for."""
    kinds = ("session.created", "session.updated")
    model = next((e["session"]["model"] for kind in kinds for e in recording.sent(kind)), None)
    session = recording.session or {"type": "realtime", "model": model or "gpt-realtime"}
    url = f"{stage.realtime}/client_secrets"
    async with stage.http.post(url, json={"session": session}, headers=BEARER) as reply:
        made = await reply.json()
        if reply.status != 200:
            raise ValueError(f"the emulator refuses the recorded session: {made}")
    key = {"Authorization": f"Bearer {made['value']}"}
    async with stage.http.post(f"{stage.realtime}/calls", data=OFFER, headers=key) as reply:
        call_id = reply.headers["Location"].rpartition("/")[2]
    stage.peers[-1].open()
    url = f"{stage.realtime}?call_id={call_id}"
    async with stage.http.ws_connect(url, headers=BEARER, max_msg_size=0) as socket:
        yield socket


def lane_of(kind: str) -> str:
    """Events of one lane have an order among themselves. A transcript comes when it is ready."""
    if "input_audio_transcription" in kind:
        return "transcript"
    if kind == "rate_limits.updated":
        return "limits"
    return "playback" if kind in PLAYBACK else "dialogue"


class CallPlayer:
    """Plays the frames of one recording to one call."""

    def __init__(
        self,
        stage: Stage,
        socket: ClientWebSocketResponse,
        comparison: Comparison,
        on_event: OnEvent,
        is_primary: bool,
    ) -> None:
        self.stage, self.socket = stage, socket
        self.comparison, self.on_event = comparison, on_event
        self.is_primary = is_primary
        self.waiting: defaultdict[str, deque[Line]] = defaultdict(deque)
        self.last: dict[str, str] = {}
        self.turn_began = timedelta(0)

    @property
    def peer(self) -> StandInPeer:
        return self.stage.peers[-1]

    @property
    def call(self) -> Call:
        call = self.peer.callbacks["on_open"].__self__
        assert isinstance(call, Call)
        return call

    async def play(self, frame: Line) -> bool:
        """Whether it can go on: not after an event that did not come, or another one."""
        data = frame["data"]
        if frame["dir"] == "out":
            self.last.clear()
            await self.socket.send_str(self.comparison.translate(json.dumps(data)))
            return True
        self.cause(data)
        ours = await self.receive(lane_of(data["type"]))
        if ours is None:
            self.comparison.report(data["type"], "the emulator sent nothing")
            return False
        return self.comparison.compare_event(ours, data)

    def cause(self, data: Line) -> None:
        """What makes the emulator send this event, where it is not the client."""
        kind = data["type"]
        if kind == "input_audio_buffer.speech_started":
            self.turn_began = timedelta(milliseconds=data["audio_start_ms"])
            self.call.input_audio.start_turn(self.turn_began)
        elif kind == "input_audio_buffer.speech_stopped":
            ended = timedelta(milliseconds=data["audio_end_ms"])
            samples = int((ended - self.turn_began).total_seconds() * SPEECH_RATE)
            self.call.input_audio.stop_turn(ended, bytes(2 * max(1, samples)))
        elif kind == "output_audio_buffer.stopped":
            self.finish_playback()

    def finish_playback(self) -> None:
        for playback in self.peer.playbacks:
            if not playback.result.done():
                playback.finish()

    async def receive(self, lane: str) -> Line | None:
        """The emulator's next event of a lane; those of others wait."""
        with suppress(TimeoutError, TypeError, ValueError):
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while not self.waiting[lane]:
                    self.sort(json.loads((await self.socket.receive()).data))
        return self.waiting[lane].popleft() if self.waiting[lane] else None

    def sort(self, event: Line) -> None:
        self.on_event(event)
        kind = event["type"]
        lane = lane_of(kind)
        if self.is_primary and lane == "playback":
            return
        is_folded = kind.endswith("delta") and self.last.get(lane) == kind
        self.last[lane] = kind
        if not is_folded:
            self.waiting[lane].append(event)

    def report_surplus(self) -> None:
        """What came before the last recorded event and was not recorded."""
        for event in self.waiting["dialogue"]:
            self.comparison.report(event["type"], "emulated, not recorded")
