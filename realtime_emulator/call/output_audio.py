"""The output audio buffer: speech on its way to the caller, one utterance after the other.

Over WebRTC the server owns this buffer: it announces when playback starts and stops, and knows how
much was heard when the caller interrupts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from realtime_emulator.call.context import CallContext
from realtime_emulator.call.conversation import Item
from realtime_emulator.protocol import events

if TYPE_CHECKING:
    from realtime_emulator.media.peer import Peer, Playback
    from realtime_emulator.speech.synthesis import Speech


@dataclass(slots=True, eq=False)
class Utterance:
    """The speech of one item of one response; `playback` is set once it is being played."""

    speech: Speech
    response_id: str
    item: Item
    playback: Playback | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """What `clear` cut off: the item, and how much of it was heard."""

    item: Item
    heard: timedelta


class OutputAudioBuffer:
    """Plays speech once the caller is connected. `on_drained` is called when all has been heard."""

    def __init__(self, context: CallContext, on_drained: Callable[[], None]) -> None:
        self.context = context
        self.on_drained = on_drained
        self.peer: Peer | None = None
        self.current: Utterance | None = None
        self.waiting: deque[Utterance] = deque()
        self.idle = asyncio.Event()
        self.idle.set()

    def connect(self, peer: Peer) -> None:
        """Starts playback: the caller can hear from now on."""
        self.peer = peer
        self.play_next()

    async def wait_until_idle(self) -> None:
        """Waits until a connected caller has heard everything so far."""
        if self.peer is not None:
            await self.idle.wait()

    def add_speech(self, speech: Speech, response_id: str, item: Item) -> None:
        """Queues speech; emits `started` and later `stopped`."""
        self.idle.clear()
        self.waiting.append(Utterance(speech, response_id, item))
        self.play_next()

    def play_next(self) -> None:
        if self.peer is None or self.current is not None:
            return
        if not self.waiting:
            self.idle.set()
            return
        utterance = self.current = self.waiting.popleft()
        utterance.playback = self.peer.play(utterance.speech)
        self.context.emit(events.buffer_event("started", utterance.response_id))
        self.context.spawn(self.wait_for_end(utterance, utterance.playback))

    async def wait_for_end(self, utterance: Utterance, playback: Playback) -> None:
        await playback.wait_for_end()
        if self.current is utterance:
            self.finish_current(utterance)

    def finish_current(self, utterance: Utterance) -> None:
        self.current = None
        self.context.emit(events.buffer_event("stopped", utterance.response_id))
        self.play_next()
        if self.idle.is_set():
            self.on_drained()

    def clear(self) -> Cut | None:
        """Stops at once and drops what is queued; emits `cleared` if anything was playing."""
        self.waiting.clear()
        utterance, self.current = self.current, None
        self.idle.set()
        if utterance is None or utterance.playback is None:
            return None
        heard = utterance.playback.stop()
        self.context.emit(events.buffer_event("cleared", utterance.response_id))
        return Cut(utterance.item, min(heard, utterance.speech.duration))

    def limit_response(self, response_id: str, end: timedelta) -> None:
        """Plays the speech of a cancelled response only up to `end`."""
        self.waiting = deque(u for u in self.waiting if u.response_id != response_id)
        utterance = self.current
        if utterance and utterance.playback and utterance.response_id == response_id:
            self.context.spawn(self.stop_at(utterance, utterance.playback, end))

    async def stop_at(self, utterance: Utterance, playback: Playback, end: timedelta) -> None:
        rest = end - playback.position
        await asyncio.sleep(max(0.0, rest.total_seconds()))
        if self.current is utterance:
            playback.stop()
            self.finish_current(utterance)

    def close(self) -> None:
        """Drops everything at the end of the call; emits nothing more."""
        self.current = None
        self.waiting.clear()
        self.idle.set()
