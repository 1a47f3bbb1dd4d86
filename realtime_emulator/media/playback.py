"""The outbound audio of a call: speech when there is some, silence otherwise, in real time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet

from realtime_emulator.media.opus import FRAME, SILENCE, Encoder
from realtime_emulator.speech.synthesis import RATE, Speech

LATEST: Final = timedelta(milliseconds=200)
"""How far the sender may catch up after a stall; what a longer one missed is skipped, not sent in a
burst."""


class Playback:
    """Speech on its way to the caller."""

    def __init__(self, speech: Speech) -> None:
        if speech.rate != RATE:
            raise ValueError(f"speech must have {RATE} samples a second, not {speech.rate}")
        self.pcm = speech.pcm
        self.sent_bytes = 0
        self.end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self.pcm:
            self.end.set_result(True)

    @property
    def position(self) -> timedelta:
        """How much has been sent to the caller; never more than the length of the speech."""
        return timedelta(seconds=self.sent_bytes / 2 / RATE)

    def stop(self) -> timedelta:
        """Stops at once and returns how much was sent. Does nothing after the end."""
        if not self.end.done():
            self.end.set_result(False)
        return self.position

    async def wait_for_end(self) -> bool:
        """Waits for the end: True if it played to the end, False if it was stopped."""
        return await asyncio.shield(self.end)

    def next_frame(self) -> bytes | None:
        """The next 20 ms, the last frame padded with silence; None after the end."""
        if self.end.done():
            return None
        frame = self.pcm[self.sent_bytes : self.sent_bytes + len(SILENCE)]
        self.sent_bytes += len(frame)
        if self.sent_bytes >= len(self.pcm):
            self.end.set_result(True)
        return frame.ljust(len(SILENCE), b"\0")


class Speaker(MediaStreamTrack):
    """The audio track that the caller hears."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.encoder: Encoder | None = Encoder()
        self.playback: Playback | None = None
        self.started_at: float | None = None
        self.frames = 0

    def play(self, speech: Speech) -> Playback:
        """Starts playing now, stopping any current playback."""
        self.stop_playback()
        self.playback = Playback(speech)
        return self.playback

    def stop_playback(self) -> None:
        if self.playback is not None:
            self.playback.stop()
            self.playback = None

    def stop(self) -> None:
        """Ends the track. Frees the encoder, because it has threads and ended calls are kept."""
        super().stop()
        self.encoder = None

    async def recv(self) -> Packet[Any]:
        """The next 20 ms as Opus, when they are due. aiortc's sender calls this in a loop."""
        await self.wait_until_due()
        if self.encoder is None:
            raise MediaStreamError
        pcm = self.next_frame()
        self.frames += 1
        return self.encoder.encode_frame(pcm)

    def next_frame(self) -> bytes | None:
        """The 20 ms that are due, or None for silence."""
        return self.playback.next_frame() if self.playback is not None else None

    async def wait_until_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self.started_at is None:
            self.started_at = now
        due = self.started_at + self.frames * FRAME.total_seconds()
        if now - due > LATEST.total_seconds():
            self.started_at += now - due
        elif due > now:
            await asyncio.sleep(due - now)
