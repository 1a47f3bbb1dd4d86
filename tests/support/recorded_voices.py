"""Plays a recording and listens to it: what FFmpeg decodes of each channel, and the words in it."""

from __future__ import annotations

import io
from array import array

import av
from av.audio.resampler import AudioResampler

from local.emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from local.emulator.speech.recognition import SphinxRecogniser

RATE = 24_000
"""Samples a second of a recording."""


def resampled(pcm: bytes, before: int, after: int) -> bytes:
    """Mono s16le at another rate."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = before
    resampler = AudioResampler(format="s16", layout="mono", rate=after)
    return b"".join(
        bytes(out.planes[0])[: 2 * out.samples]
        for out in [*resampler.resample(frame), *resampler.resample(None)]
    )


def play(data: bytes) -> tuple[bytes, bytes]:
    """Each channel of a file as FFmpeg decodes it, as 16 kHz mono."""
    samples = array("h")
    with av.open(io.BytesIO(data), "r") as file:
        (stream,) = file.streams.audio
        assert (stream.rate, stream.channels) == (RATE, 2)
        for frame in file.decode(stream):
            samples.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    left, right = samples[0::2].tobytes(), samples[1::2].tobytes()
    return resampled(left, RATE, 16_000), resampled(right, RATE, 16_000)


async def understood(pcm: bytes) -> list[tuple[int, str]]:
    """What a recogniser understands, and in which second each utterance ended."""
    sphinx = SphinxRecogniser()
    events = VoiceActivityDetector(TurnDetection()).add_audio(pcm)
    ends = [event for event in events if isinstance(event, SpeechStopped)]
    words = [(int(event.at.total_seconds()), await sphinx.recognise(event.pcm)) for event in ends]
    sphinx.close()
    return words
