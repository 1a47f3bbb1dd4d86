"""The emulator's Opus packets, decoded by aiortc."""

from __future__ import annotations

from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from av import AudioFrame

from realtime_emulator.media.opus import FRAME_SAMPLES, SETTLED, Encoder
from tests.contract.media.caller import loudness, tone

SECOND = tone(1)
SPOKEN = [SECOND[at : at + 2 * FRAME_SAMPLES] for at in range(0, 50 * 1920, 2 * FRAME_SAMPLES)]


def heard(frames: list[bytes | None]) -> list[float]:
    """The loudness of each frame as received."""
    encoder, decoder = Encoder(), OpusDecoder()
    found: list[float] = []
    for number, pcm in enumerate(frames):
        packet = encoder.encode_frame(pcm)
        assert packet.pts == number * FRAME_SAMPLES
        for frame in decoder.decode(JitterFrame(data=bytes(packet), timestamp=packet.pts)):
            assert isinstance(frame, AudioFrame)
            assert frame.samples == FRAME_SAMPLES
            found.append(loudness(bytes(frame.planes[0])[: 4 * FRAME_SAMPLES]))
    assert len(found) == len(frames)
    return found


def test_speech_is_heard_and_silence_is_silent() -> None:
    silence: list[bytes | None] = [None] * 50
    levels = heard([*silence, *SPOKEN, *silence, *SPOKEN])
    assert max(levels[:50]) < 1
    assert min(levels[52:100]) > 4000
    assert max(levels[100 + SETTLED : 150]) < 20
    assert min(levels[152:]) > 4000


def test_a_long_silence_is_one_packet_again_and_again() -> None:
    encoder = Encoder()
    for pcm in SPOKEN:
        encoder.encode_frame(pcm)
    packets = [bytes(encoder.encode_frame(None)) for _ in range(SETTLED + 20)]
    assert len(set(packets[SETTLED:])) == 1
    assert len(packets[-1]) < 10, "it is not encoded as sound"
