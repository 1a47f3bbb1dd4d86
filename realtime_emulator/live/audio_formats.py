"""The audio formats of a primary WebSocket, to and from 24 kHz PCM."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from av import AudioCodecContext, AudioFrame, AudioResampler, CodecContext, Packet

from realtime_emulator.live.media_interfaces import AUDIO_RATE, AudioFormat

CODECS: Final = {"audio/pcmu": "pcm_mulaw", "audio/pcma": "pcm_alaw"}


class Codec:
    """Both directions of one session. Its resamplers have threads, so it must not be kept."""

    def __init__(self, format: AudioFormat) -> None:
        self.decode = Decoder(format).decode
        self.encode = Encoder(format).encode


class Decoder:
    """From a session's format to 24 kHz. Stateful: the pieces must come in order."""

    def __init__(self, format: AudioFormat) -> None:
        self.rate = format.rate
        self.resampler = make_resampler(AUDIO_RATE)
        self.codec = make_codec(format, "r")

    def decode(self, audio: bytes) -> bytes:
        if self.codec is not None and audio:
            audio = b"".join(map(samples_of, self.codec.decode(Packet(audio))))
        return change_rate(self.resampler, audio, self.rate, AUDIO_RATE)


class Encoder:
    """From 24 kHz to a session's format."""

    def __init__(self, format: AudioFormat) -> None:
        self.rate = format.rate
        self.resampler = make_resampler(format.rate)
        self.codec = make_codec(format, "w")

    def encode(self, pcm: bytes) -> bytes:
        pcm = change_rate(self.resampler, pcm, AUDIO_RATE, self.rate)
        if self.codec is None or not pcm:
            return pcm
        packets: list[Packet[Any]] = self.codec.encode(frame_of(pcm, self.rate))
        return b"".join(map(bytes, packets))


def make_codec(format: AudioFormat, mode: Any) -> AudioCodecContext | None:
    """The G.711 codec of a format, or None for PCM."""
    if format.type not in CODECS:
        return None
    codec = CodecContext.create(CODECS[format.type], mode)
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate = format.rate
    codec.layout = "mono"
    codec.format = "s16"
    if mode == "w":
        codec.time_base = Fraction(1, format.rate)
    return codec


def make_resampler(rate: int) -> AudioResampler:
    return AudioResampler(format="s16", layout="mono", rate=rate)


def change_rate(resampler: AudioResampler, pcm: bytes, rate: int, wanted: int) -> bytes:
    """The next piece of a stream at another rate."""
    if rate == wanted or not pcm:
        return pcm
    return b"".join(map(samples_of, resampler.resample(frame_of(pcm, rate))))


def frame_of(pcm: bytes, rate: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = rate
    return frame


def samples_of(frame: AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: 2 * frame.samples]
