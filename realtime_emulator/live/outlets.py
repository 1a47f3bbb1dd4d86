"""Where a session's events go over WebSockets: sidebands, or the one client of a primary socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from realtime_emulator.live.events import Event
from realtime_emulator.live.media_interfaces import SILENT_CHUNK
from realtime_emulator.protocol.frames import Frame

MOST_WAITING: Final = 8192
"""Events that may wait for a client who does not read: at ten audio frames a second, a quarter of
an hour. Its connection is dropped after that."""

REMEMBERED: Final = 2000
REMEMBERED_FOR: Final = timedelta(seconds=60)
"""The most that `replay_seconds` can repeat."""
STARTED_REPEATED_FOR: Final = timedelta(seconds=3)
"""How old a session may be for its `session.started` to be repeated to a new sideband."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows. `is_lost`: the client did not read, or the session never started."""

    is_lost: bool = False


@dataclass(eq=False, slots=True)
class Outlet:
    """The queue of one connection: events as JSON text, injected frames, then `Ended`."""

    queue: asyncio.Queue[str | Frame | Ended] = field(default_factory=asyncio.Queue)

    def put(self, entry: str | Frame | Ended) -> None:
        if self.queue.qsize() < MOST_WAITING:
            self.queue.put_nowait(entry)
        elif self.queue.qsize() == MOST_WAITING:
            self.queue.put_nowait(Ended(is_lost=True))


class Outlets:
    """All connections of one session, and the events that a new one is told again."""

    def __init__(self, replayed_for: Callable[[], timedelta]) -> None:
        self.replayed_for = replayed_for
        self.all: set[Outlet] = set()
        self.history: deque[tuple[float, str]] = deque(maxlen=REMEMBERED)
        self.started: tuple[float, str] | None = None

    def send_started(self, event: Event) -> None:
        """The first event, which is `session.started` or the error instead of it."""
        text = json.dumps(event)
        self.started = (asyncio.get_running_loop().time(), text)
        for outlet in self.all:
            outlet.put(text)

    def send(self, event: Event) -> None:
        """To everybody, now and, for a while, to those who attach later."""
        text = json.dumps(event)
        now = asyncio.get_running_loop().time()
        self.history.append((now, text))
        while self.history[0][0] < now - REMEMBERED_FOR.total_seconds():
            self.history.popleft()
        for outlet in self.all:
            outlet.put(text)

    def send_audio(self, event: Event, key: str, pcm: bytes) -> None:
        """Audio, which is not repeated. `key` is where the event has it."""
        if self.all:
            text = json.dumps({**event, key: encode(pcm)})
            for outlet in self.all:
                outlet.put(text)

    def inject(self, frame: Frame) -> int:
        for outlet in self.all:
            outlet.put(frame)
        return len(self.all)

    def attach(self) -> Outlet:
        """A new connection, which is told the last few seconds again, with their ids."""
        outlet = Outlet()
        now = asyncio.get_running_loop().time()
        started_since = now - STARTED_REPEATED_FOR.total_seconds()
        if self.started is not None and self.started[0] >= started_since:
            outlet.put(self.started[1])
        since = now - self.replayed_for().total_seconds()
        for at, text in self.history:
            if at > since:
                outlet.put(text)
        self.all.add(outlet)
        return outlet

    def detach(self, outlet: Outlet) -> None:
        self.all.discard(outlet)

    def end(self, how: Ended) -> None:
        for outlet in self.all:
            outlet.put(how)


def encode(pcm: bytes) -> str:
    return SILENCE if pcm is SILENT_CHUNK else base64.b64encode(pcm).decode()


SILENCE: Final = base64.b64encode(SILENT_CHUNK).decode()
