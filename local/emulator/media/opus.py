"""Speech as Opus packets of 20 ms, made in the event loop.

aiortc would take raw audio too. It then computes a level for each frame in Python and hands the
frame to a thread and back, which costs more than the encoding; and it encodes silence like speech.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from av import AudioCodecContext, AudioFrame, CodecContext, Packet

from local.emulator.speech.synthesis import RATE

FRAME: Final = timedelta(milliseconds=20)
FRAME_SAMPLES: Final = RATE // 50
SILENCE: Final = bytes(2 * FRAME_SAMPLES)
TIME_BASE: Final = Fraction(1, RATE)

BIT_RATE: Final = 64_000
"""High enough for the encoder's plain mode, which is the faster one and knows silence as such."""

SETTLED: Final = 4
"""After so many silent frames the encoder has nothing of the speech before them left in it."""


class Encoder:
    """One call's encoder. It has a memory, so its frames come in order and none is left out."""

    def __init__(self) -> None:
        codec = CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.bit_rate = BIT_RATE
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = RATE
        codec.options = {"application": "voip"}
        self._codec = codec
        self._frames = 0
        self._silent = 0
        self._last = b""

    def encode(self, pcm: bytes | None) -> Packet[Any]:
        """Takes 20 ms of mono s16le at `RATE`, or None for silence; gives the packet to send.

        Of a long silence each packet is like the one before, so those are not made anew.
        """
        self._silent = self._silent + 1 if pcm is None else 0
        if self._silent <= SETTLED:
            frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
            frame.planes[0].update(SILENCE if pcm is None else pcm)
            frame.sample_rate = RATE
            self._last = b"".join(map(bytes, self._codec.encode(frame)))
        packet = Packet(self._last)
        packet.pts = self._frames * FRAME_SAMPLES
        packet.time_base = TIME_BASE
        self._frames += 1
        return packet
