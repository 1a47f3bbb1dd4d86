"""The recording of a stored session: both voices, the caller left and the model right."""

from __future__ import annotations

import array
import io
import sys
import wave
from typing import TYPE_CHECKING, Final

from realtime_emulator.live.media_interfaces import AUDIO_RATE, AudioFormat

if TYPE_CHECKING:
    from realtime_emulator.live.audio_formats import Decoder

LONGEST_BYTES: Final = AUDIO_RATE * 2 * 60 * 10
"""Ten minutes of each voice are kept; the rest of a longer session is not."""


class Recording:
    """Collects 24 kHz audio. What the model says lies where the timeline has it; the caller's audio
    has no times and is counted."""

    def __init__(self) -> None:
        self.caller = bytearray()
        self.model = bytearray()
        self.caller_decoder: Decoder | None = None
        self.model_decoder: Decoder | None = None

    def set_format(self, audio_format: AudioFormat) -> None:
        """On a primary WebSocket, both voices come in its format."""
        if audio_format == AudioFormat():
            return
        from realtime_emulator.live.audio_formats import Decoder

        self.caller_decoder, self.model_decoder = Decoder(audio_format), Decoder(audio_format)

    def add_caller(self, pcm: bytes) -> None:
        if self.caller_decoder is not None:
            pcm = self.caller_decoder.decode(pcm)
        if len(self.caller) < LONGEST_BYTES:
            self.caller += pcm

    def add_model(self, pcm: bytes, start_ms: int) -> None:
        if self.model_decoder is not None:
            pcm = self.model_decoder.decode(pcm)
        start = start_ms * AUDIO_RATE // 1000 * 2
        if len(self.model) < LONGEST_BYTES:
            self.model += bytes(max(0, start - len(self.model))) + pcm

    def to_wav(self) -> bytes:
        """A stereo WAV file of 16 bits at 24 kHz."""
        length = max(len(self.caller), len(self.model)) // 2
        both = array.array("h", bytes(4 * length))
        for side, pcm in enumerate((self.caller, self.model)):
            samples = array.array("h", bytes(pcm[: len(pcm) // 2 * 2]))
            both[side : 2 * len(samples) : 2] = samples
        if sys.byteorder == "big":
            both.byteswap()
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(AUDIO_RATE)
            file.writeframes(both.tobytes())
        return out.getvalue()
