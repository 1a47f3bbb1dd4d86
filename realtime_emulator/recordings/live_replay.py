"""Replays a recording of GPT-Live to the emulator.

What came from its client is sent to the emulator; what came from the media (audio and words) is put
into the session's media; everything else must come from the emulator by itself, in the recorded
order and with the recorded fields.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientWebSocketResponse

from realtime_emulator.live.media_interfaces import GRID_MS, SILENT_CHUNK, Fragment, Utterance
from realtime_emulator.live.media_listener import MediaListener
from realtime_emulator.live.session import LiveSession
from realtime_emulator.live.stand_in_media import StandInLiveMedia
from realtime_emulator.protocol.journal import LEFT_OUT
from realtime_emulator.recordings.comparison import WORDS, Comparison
from realtime_emulator.recordings.format import Line, Recording
from realtime_emulator.recordings.planning import make_script
from realtime_emulator.recordings.stage import BEARER, OFFER, PATIENCE, OnEvent, Stage, staged

MEDIA: Final = frozenset(
    {
        "session.input_audio.append",
        "session.output_audio.delta",
        "session.input_transcript.delta",
        "session.output_transcript.delta",
    }
)
TIMES: Final = {"close_seconds": 0.01, "backend_seconds": 0.3, "append_seconds": 0.7}
SAME_WORDS: Final = WORDS | {"delta", "start_ms", "end_ms"}
SAMPLES: Final = "AAAA" * 3200
"""In place of the audio that a recorded client sent: 200 ms of silence."""


async def replay_live(recording: Recording, on_event: OnEvent = lambda _: None) -> Comparison:
    """The differences. `on_event` gets every event that the emulator sends."""
    comparison = Comparison(recording.name, recording.is_masked, SAME_WORDS)
    script = {"text_delta_seconds": 0.1, "live": TIMES, **make_script(recording)}
    async with (
        staged(recording.provider, script) as stage,
        attached(recording, stage) as socket,
    ):
        player = LivePlayer(stage, socket, comparison, on_event)
        for frame in recording.frames:
            if not await player.play(frame):
                break
        player.check_counts(recording)
    return comparison


def config_of(recording: Recording) -> Line:
    """The session that was asked for."""
    resource = next((e["session"] for e in recording.sent("session.started")), None)
    if resource is None:
        return {**(recording.session or {"model": "gpt-live-1"})}
    names = ("model", "instructions", "delegation", "client")
    audio = ("audio",) if recording.kind == "primary" else ()
    out = {name: resource[name] for name in (*names, *audio) if name in resource}
    return {**out, "input": resource.get("input") or []}


@asynccontextmanager
async def attached(recording: Recording, stage: Stage) -> AsyncIterator[ClientWebSocketResponse]:
    """A primary WebSocket or a sideband, whichever was recorded."""
    config = config_of(recording)
    url = f"{stage.live}/sessions"
    if recording.kind == "sideband":
        body = {"session": config, "transport": {"type": "webrtc", "sdp": OFFER}}
        async with stage.http.post(url, json=body, headers=BEARER) as reply:
            made = await reply.json()
            if reply.status != 201:
                raise ValueError(f"the emulator refuses the recorded session: {made}")
        url += f"/{made['session']['id']}/attach"
    async with stage.http.ws_connect(url, headers=BEARER, max_msg_size=0) as socket:
        first = recording.frames[0]
        if recording.kind == "primary" and first["dir"] == "in":
            named = first["data"].get("client_event_id")
            start = {"type": "session.start", "session": config, "event_id": named}
            await socket.send_json(start)
        yield socket


class LivePlayer:
    """Plays the frames of one recording to one session."""

    def __init__(
        self,
        stage: Stage,
        socket: ClientWebSocketResponse,
        comparison: Comparison,
        on_event: OnEvent,
    ) -> None:
        self.stage, self.socket = stage, socket
        self.comparison, self.on_event = comparison, on_event
        self.is_closed_by_client = False

    @property
    def media(self) -> StandInLiveMedia:
        return self.stage.media.made[-1]

    @property
    def session(self) -> LiveSession:
        listener = self.media.events
        assert isinstance(listener, MediaListener)
        assert isinstance(listener.context, LiveSession)
        return listener.context

    async def play(self, frame: Line) -> bool:
        """Whether it can go on: not after an event that did not come, or another one."""
        data = frame["data"]
        if frame["dir"] == "out":
            if data.get("audio") == LEFT_OUT:
                data = {**data, "audio": SAMPLES}
            self.is_closed_by_client |= data["type"] == "session.close"
            await self.socket.send_str(self.comparison.translate(json.dumps(data)))
            return True
        if data["type"] in MEDIA:
            self.put_into_media(data)
        else:
            await self.cause(data)
        try:
            message = await self.socket.receive(timeout=PATIENCE.total_seconds())
            ours = json.loads(message.data)
        except (TimeoutError, TypeError, ValueError):
            self.comparison.report(data["type"], "the emulator sent nothing")
            return False
        self.on_event(ours)
        if not self.comparison.compare_event(ours, data):
            return False
        if data["type"] == "session.delegation.created":
            self.check_offset(ours["offset_ms"], data["offset_ms"])
        if data["type"] == "session.started":
            self.media.is_silent = True
        return True

    def check_offset(self, ours: int, theirs: int) -> None:
        """The last word, as most are. Some came later, once the caller had paused."""
        if ours != self.session.heard_ms - GRID_MS or theirs < ours:
            self.comparison.report("session.delegation.created.offset_ms", f"{theirs}, here {ours}")

    def check_counts(self, recording: Recording) -> None:
        """Nothing came twice, and nothing was refused that was not."""
        if not self.stage.media.made:
            return
        for kind in ("session.delegation.created", "error"):
            recorded = len(list(recording.sent(kind)))
            if self.session.counts[kind] != recorded:
                counts = f"{recorded} recorded, {self.session.counts[kind]} emulated"
                self.comparison.report(kind, counts)

    def put_into_media(self, data: Line) -> None:
        events = self.media.events
        if data["type"] == "session.input_audio.append":
            events.input_audio(SILENT_CHUNK)
        elif data["type"] == "session.output_audio.delta":
            events.output_audio(SILENT_CHUNK, data.get("start_ms", 0), data.get("end_ms", 0))
        else:
            fragment = Fragment(data["delta"], data["start_ms"], data["end_ms"])
            is_input = data["type"] == "session.input_transcript.delta"
            (events.input_words if is_input else events.output_words)(fragment)

    async def cause(self, data: Line) -> None:
        """What makes the emulator send this event, where it is not the client."""
        kind = data["type"]
        if kind == "session.delegation.created":
            self.media.events.speech_ended(Utterance("something", 0, self.session.heard_ms))
        elif kind == "session.commentary.appended":
            self.media.now_ms = data["end_ms"] - 50
        elif kind == "session.usage.updated":
            self.media.now_ms = round(data["usage"]["seconds"] * 1000)
            self.session.meter.report_now()
        elif kind == "session.closed":
            self.media.now_ms = round(data["usage"]["seconds"] * 1000)
            if not self.is_closed_by_client:
                self.session.client_events.handle('{"type": "session.close"}', self.source)

    @property
    def source(self) -> str:
        return "primary" if self.session.is_primary else "sideband"
