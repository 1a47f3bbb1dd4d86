"""A Live session in memory, as an observer meets it: its sidebands begin with the latest events
once more, and say what no emulator says."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections import deque
from typing import Any

from shared.core.problems import Problem
from shared.live.frames import read_frame
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandClosed

Event = dict[str, Any]
CLEAN, TORN = 1000, 1006
CALL = "live_u1_scripted"
HUNG_UP = "hang-up answered"


class LiveSideband:
    """One connection to the session."""

    def __init__(self, service: LiveService) -> None:
        self.service = service
        self.frames: asyncio.Queue[str | bytes | int] = asyncio.Queue()
        self.is_open = True

    async def send_event(self, event: Any) -> None:
        if not self.is_open:
            raise SidebandClosed(TORN, clean=False)
        self.service.handle_client_event(json.loads(json.dumps(event)))

    async def receive_event(self) -> ServerEvent:
        frame = await self.frames.get()
        if isinstance(frame, int):
            self.is_open = False
            raise SidebandClosed(frame, clean=frame != TORN)
        return read_frame(frame)

    async def close(self) -> None:
        self.frames.put_nowait(CLEAN)


class LiveService:
    """One session. `refusals` are raised by the next dials."""

    def __init__(self) -> None:
        self.history: deque[Event] = deque(maxlen=20)
        self.replays = 20
        """How many of the latest events a connection begins with."""
        self.sidebands: list[LiveSideband] = []
        self.connected: asyncio.Queue[int] = asyncio.Queue()
        """Which dials have succeeded."""
        self.sent: asyncio.Queue[Event] = asyncio.Queue()
        self.refusals: list[Exception] = []
        self.is_over = False
        self.answers_close = True
        self.confirms = True
        self.dials = self.hang_ups = 0
        self.ids = itertools.count()
        self.at_ms = 0
        self.seconds = 0.0

    async def connect(self, _: str) -> Sideband:
        self.dials += 1
        if self.refusals:
            raise self.refusals.pop(0)
        if self.is_over:
            raise NoSuchCall
        sideband = LiveSideband(self)
        for event in list(self.history)[-self.replays :] if self.replays else []:
            sideband.frames.put_nowait(json.dumps(event))
        self.sidebands.append(sideband)
        self.connected.put_nowait(self.dials)
        return sideband

    async def hang_up(self) -> str:
        self.hang_ups += 1
        if not self.confirms:
            raise Problem("upstream_failed")
        if not self.is_over:
            self.close("close_requested")
        return HUNG_UP

    def send_frame(self, frame: str | bytes) -> None:
        for sideband in self.sidebands:
            if sideband.is_open:
                sideband.frames.put_nowait(frame)

    def tell(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{next(self.ids)}", **fields}
        self.history.append(event)
        self.send_frame(json.dumps(event))

    def say(self, speaker: str, *words: str) -> None:
        """Words of the caller's (`input`) or of the model's (`output`), 200 ms each."""
        for word in words:
            about = {"delta": word, "start_ms": self.at_ms, "end_ms": self.at_ms + 200}
            self.tell(f"session.{speaker}_transcript.delta", **about)
            self.at_ms += 200

    def hear(self, pcm: bytes, start_ms: int | None = None) -> None:
        """200 ms of the caller's audio, or of the model's, which has times."""
        encoded = base64.b64encode(pcm).decode()
        event: Event = {"type": "session.input_audio.append", "audio": encoded}
        if start_ms is not None:
            event = {"type": "session.output_audio.delta", "delta": encoded}
            event |= {"start_ms": start_ms, "end_ms": start_ms + 200}
        self.send_frame(json.dumps(event))

    def use(self, seconds: float) -> None:
        self.seconds = max(seconds, self.seconds)
        self.tell("session.usage.updated", usage={"seconds": seconds})

    def lose(self, code: int = TORN) -> None:
        """The connections are lost; the session goes on."""
        for sideband in self.sidebands:
            sideband.frames.put_nowait(code)
        self.sidebands.clear()

    def close(self, reason: str, *, torn: bool = False, silent: bool = False) -> None:
        """The session ends. `torn`: without a closing handshake; `silent`: with no event."""
        self.is_over = True
        if not silent:
            usage = {"seconds": max(15.0, self.seconds)}
            self.tell("session.closed", reason=reason, session=self.resource(), usage=usage)
        self.lose(TORN if torn else CLEAN)

    def resource(self) -> Event:
        return {"id": CALL, "model": "gpt-live-1", "status": "active", "expires_at": 1}

    def handle_client_event(self, event: Event) -> None:
        self.sent.put_nowait(event)
        about = {"client_event_id": event.get("event_id")}
        if event["type"] == "session.update":
            self.tell("session.updated", session=self.resource(), **about)
        elif event["type"].endswith(".append"):
            kind = event["type"].removesuffix("append") + "appended"
            self.tell(kind, start_ms=self.at_ms, end_ms=self.at_ms, **about)
        elif event["type"] == "session.close" and self.answers_close:
            self.close("close_requested")
