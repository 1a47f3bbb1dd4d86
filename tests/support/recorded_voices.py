"""Plays a recording and listens to it: what FFmpeg decodes of each channel, and the words in it."""

from __future__ import annotations

import io
from array import array

import av

from realtime_emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from realtime_emulator.speech.recognition import SphinxRecogniser
from realtime_emulator.speech.synthesis import resample

RATE = 24_000
"""Samples a second of a recording."""


def play(data: bytes) -> tuple[bytes, bytes]:
    """Each channel of a file as FFmpeg decodes it, as 16 kHz mono."""
    samples = array("h")
    with av.open(io.BytesIO(data), "r") as file:
        (stream,) = file.streams.audio
        assert (stream.rate, stream.channels) == (RATE, 2)
        for frame in file.decode(stream):
            samples.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    left, right = samples[0::2].tobytes(), samples[1::2].tobytes()
    return resample(left, RATE, 16_000), resample(right, RATE, 16_000)


async def understood(*channels: bytes) -> list[list[tuple[int, str]]]:
    """What a recogniser understands in each, and in which second each utterance ended."""
    sphinx = SphinxRecogniser()
    heard = []
    for pcm in channels:
        events = VoiceActivityDetector(TurnDetection()).add_audio(pcm)
        ends = [event for event in events if isinstance(event, SpeechStopped)]
        heard.append(
            [(int(each.at.total_seconds()), await sphinx.recognise(each.pcm)) for each in ends]
        )
    sphinx.close()
    return heard
