"""The sending side of a call's audio: speech when there is any, silence otherwise, in real time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet

from local.emulator.media.opus import FRAME, SILENCE, Encoder
from local.emulator.speech.synthesis import RATE, Speech

LATEST: Final = timedelta(milliseconds=200)
"""How far the sender may catch up after a stall; a longer one is left out, not sent in a burst."""


class Playback:
    """Speech on its way to the caller."""

    def __init__(self, speech: Speech) -> None:
        if speech.rate != RATE:
            raise ValueError(f"speech is sent at {RATE} samples a second, not {speech.rate}")
        self._pcm = speech.pcm
        self._sent = 0
        self._drained: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._pcm:
            self._drained.set_result(True)

    @property
    def position(self) -> timedelta:
        """What the caller has been sent so far, never more than the speech is long."""
        return timedelta(seconds=self._sent / 2 / RATE)

    def stop(self) -> timedelta:
        """Cuts at once; gives what was sent. After the end it changes nothing."""
        if not self._drained.done():
            self._drained.set_result(False)
        return self.position

    async def drained(self) -> bool:
        """Waits for the end: `True` played to the end, `False` stopped."""
        return await asyncio.shield(self._drained)

    def next_frame(self) -> bytes | None:
        """The next 20 ms, the last one filled up with silence; None when there is no more."""
        if self._drained.done():
            return None
        frame = self._pcm[self._sent : self._sent + len(SILENCE)]
        self._sent += len(frame)
        if self._sent >= len(self._pcm):
            self._drained.set_result(True)
        return frame.ljust(len(SILENCE), b"\0")


class Speaker(MediaStreamTrack):
    """The audio track that the caller hears."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._encoder: Encoder | None = Encoder()
        self._playback: Playback | None = None
        self._started: float | None = None
        self._frames = 0

    def play(self, speech: Speech) -> Playback:
        """Starts now; what was playing is stopped."""
        self.silence()
        self._playback = Playback(speech)
        return self._playback

    def silence(self) -> None:
        """Stops what is playing."""
        if self._playback is not None:
            self._playback.stop()
            self._playback = None

    def stop(self) -> None:
        """For good. Lets go of the encoder: it has threads, and an ended call may be held long."""
        super().stop()
        self._encoder = None

    async def recv(self) -> Packet[Any]:
        """The next 20 ms as Opus, when they are due. aiortc's sender calls this in a loop."""
        await self._due()
        if self._encoder is None:
            raise MediaStreamError
        pcm = self._playback.next_frame() if self._playback is not None else None
        self._frames += 1
        return self._encoder.encode(pcm)

    async def _due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        due = self._started + self._frames * FRAME.total_seconds()
        if now - due > LATEST.total_seconds():
            self._started += now - due
        elif due > now:
            await asyncio.sleep(due - now)
