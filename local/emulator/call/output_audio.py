"""The output audio buffer: speech on its way to the caller, one piece after the other.

Over WebRTC the server owns this buffer: it says when playing starts and stops, and when the caller
interrupts it knows how much was heard.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from local.emulator.call.conversation import Item
from local.emulator.protocol import events
from local.emulator.protocol.events import Event

if TYPE_CHECKING:
    from local.emulator.media.peer import Peer, Playback
    from local.emulator.speech.synthesis import Speech

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Playing:
    """Speech of one item of one response; `playback` once the caller hears it."""

    speech: "Speech"
    response_id: str
    item: Item
    playback: "Playback | None" = None


@dataclass(frozen=True, slots=True)
class Cut:
    """What `clear` cut off: the item, and how much of it was heard."""

    item: Item
    heard: timedelta


class OutputAudioBuffer:
    """Plays what it is given once the caller is connected."""

    def __init__(self, emit: Callable[[Event], None], drained: Callable[[], None]) -> None:
        self.emit = emit
        self.drained = drained
        self.peer: Peer | None = None
        self.current: Playing | None = None
        self.waiting: deque[Playing] = deque()
        self.idle = asyncio.Event()
        self.idle.set()
        self.tasks: set[asyncio.Task[None]] = set()

    def connect(self, peer: "Peer") -> None:
        """The caller can hear from now on."""
        self.peer = peer
        self.advance()

    async def quiet(self) -> None:
        """Waits until a connected caller has heard everything so far."""
        if self.peer is not None:
            await self.idle.wait()

    def play(self, speech: "Speech", response_id: str, item: Item) -> None:
        """Plays speech after what is there already; emits `started` and, in time, `stopped`."""
        self.idle.clear()
        self.waiting.append(Playing(speech, response_id, item))
        self.advance()

    def advance(self) -> None:
        if self.peer is None or self.current is not None:
            return
        if not self.waiting:
            self.idle.set()
            return
        playing = self.current = self.waiting.popleft()
        playing.playback = self.peer.play(playing.speech)
        self.emit(events.buffer_event("started", playing.response_id))
        self.spawn(self.drain(playing, playing.playback))

    async def drain(self, playing: Playing, playback: "Playback") -> None:
        await playback.drained()
        if self.current is playing:
            self.finished(playing)

    def finished(self, playing: Playing) -> None:
        self.current = None
        self.emit(events.buffer_event("stopped", playing.response_id))
        self.advance()
        if self.idle.is_set():
            self.drained()

    def clear(self) -> Cut | None:
        """Stops at once and forgets the rest; emits `cleared` if anything was playing."""
        self.waiting.clear()
        playing, self.current = self.current, None
        self.idle.set()
        if playing is None or playing.playback is None:
            return None
        heard = playing.playback.stop()
        self.emit(events.buffer_event("cleared", playing.response_id))
        return Cut(playing.item, min(heard, playing.speech.duration))

    def limit(self, response_id: str, end: timedelta) -> None:
        """A response was cancelled: what was made of its speech so far, up to `end`, is played."""
        self.waiting = deque(p for p in self.waiting if p.response_id != response_id)
        playing = self.current
        if playing and playing.playback and playing.response_id == response_id:
            self.spawn(self.stop_at(playing, playing.playback, end))

    async def stop_at(self, playing: Playing, playback: "Playback", end: timedelta) -> None:
        rest = end - playback.position
        await asyncio.sleep(max(0.0, rest.total_seconds()))
        if self.current is playing:
            playback.stop()
            self.finished(playing)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def close(self) -> None:
        """The call is over; nothing more is emitted."""
        self.current = None
        self.waiting.clear()
        self.idle.set()
        for task in self.tasks:
            task.cancel()
