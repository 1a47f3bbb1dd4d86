"""Speech as 20 ms Opus packets, encoded in the event loop.

aiortc would take raw audio too, but then computes a level for each frame in Python and hands the
frame to a thread and back, which costs more than the encoding, and it encodes silence like speech.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from av import AudioCodecContext, AudioFrame, CodecContext, Packet

from realtime_emulator.speech.synthesis import RATE

FRAME: Final = timedelta(milliseconds=20)
FRAME_SAMPLES: Final = RATE // 50
SILENCE: Final = bytes(2 * FRAME_SAMPLES)
TIME_BASE: Final = Fraction(1, RATE)

BIT_RATE: Final = 64_000
"""High enough for the encoder's simpler mode, which is faster and recognises silence."""

SETTLED: Final = 4
"""After this many silent frames no trace of earlier speech is left in the encoder."""


class Encoder:
    """One call's encoder. It is stateful: frames must be encoded in order, without gaps.

    `silence` is what it encodes while nobody speaks.
    """

    def __init__(self, silence: bytes = SILENCE) -> None:
        self.silence = silence
        codec = CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.bit_rate = BIT_RATE
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = RATE
        codec.options = {"application": "voip"}
        self.codec = codec
        self.frames = 0
        self.silent_frames = 0
        self.last_payload = b""

    def encode_frame(self, pcm: bytes | None) -> Packet[Any]:
        """The packet for 20 ms of mono s16le at `RATE`, or for silence if None.

        In a long silence every packet is the same, so the last one is reused.
        """
        self.silent_frames = self.silent_frames + 1 if pcm is None else 0
        if self.silent_frames <= SETTLED:
            frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
            frame.planes[0].update(self.silence if pcm is None else pcm)
            frame.sample_rate = RATE
            self.last_payload = b"".join(map(bytes, self.codec.encode(frame)))
        packet = Packet(self.last_payload)
        packet.pts = self.frames * FRAME_SAMPLES
        packet.time_base = TIME_BASE
        self.frames += 1
        return packet
