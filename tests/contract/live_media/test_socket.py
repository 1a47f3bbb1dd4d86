"""Sessions on a primary WebSocket: the timeline is the audio that is appended."""

from __future__ import annotations

import asyncio

import pytest

from realtime_emulator.call.services import Services
from realtime_emulator.live.audio_formats import Encoder
from realtime_emulator.live.media_interfaces import AppendedMedia, AudioFormat, MediaSettings
from realtime_emulator.live.socket_media import SocketMedia
from realtime_emulator.speech.synthesis import resample
from tests.contract.live_media.session import SESSION_ID, Session
from tests.contract.media.caller import loudness
from tests.support.voice import RATE, hiss, utterances

PCM = AudioFormat()
FORMATS = [
    PCM,
    AudioFormat("audio/pcm", 16_000),
    AudioFormat("audio/pcmu", 8_000),
    AudioFormat("audio/pcma", 8_000),
]
TURN_SECONDS = 0.02


async def append(media: SocketMedia, audio: bytes, size: int) -> None:
    """Appends in pieces of 100 ms, faster than they would be spoken."""
    for offset in range(0, len(audio), size):
        media.add_audio(audio[offset : offset + size])
        await asyncio.sleep(TURN_SECONDS)


def encoded(pcm: bytes, audio_format: AudioFormat) -> bytes:
    """16 kHz PCM in the format."""
    return Encoder(audio_format).encode(resample(pcm, RATE, 24_000))


@pytest.mark.parametrize("audio_format", FORMATS, ids=lambda f: f"{f.type} {f.rate}")
async def test_a_question_is_heard_and_answered(
    audio_format: AudioFormat, services: Services
) -> None:
    session = Session()
    media = SocketMedia(MediaSettings(SESSION_ID), audio_format, session, services)
    session.on_utterance = lambda utterance: media.say(f"You said: {utterance.text}.")
    (question,) = utterances("weather.wav")
    size = audio_format.rate * (2 if audio_format.type == "audio/pcm" else 1) // 10
    await append(media, encoded(question + hiss(1), audio_format), size)
    quiet = encoded(hiss(0.1), audio_format)
    for _ in range(300):
        if session.said.endswith("london."):
            break
        await append(media, quiet, size)
    # The recogniser's model is not of telephones: it misses some words of theirs.
    assert "london" in session.heard
    assert "weather" in session.heard or audio_format.rate == 8_000
    assert session.said.startswith("You said: ")
    assert {len(pcm) for pcm, _, _ in session.output[3:]} == {size}
    starts = [start for _, start, _ in session.output]
    assert starts == list(range(0, 100 * len(starts), 100))
    await media.close()
    assert not media.tasks


async def test_nothing_happens_without_appended_audio(services: Services) -> None:
    session = Session()
    media = SocketMedia(MediaSettings(SESSION_ID), PCM, session, services)
    saying = media.say("Hello there.", "commentary")
    await asyncio.gather(*media.tasks)
    assert (session.output, session.said, media.position_ms) == ([], "", 0)
    await append(media, bytes(48 * 3000), 4800)
    assert await saying.wait_for_end()
    assert session.said == "Hello there."
    assert media.position_ms == 3000
    assert any(loudness(pcm) > 300 for pcm, _, _ in session.output)
    await media.close()
    media.add_audio(bytes(4800))
    assert media.position_ms == 3000


async def test_pieces_of_any_size_are_taken(services: Services) -> None:
    session = Session()
    media = SocketMedia(MediaSettings(SESSION_ID), PCM, session, services)
    for size in (2, 958, 4, 956, 100_000):
        media.add_audio(bytes(size))
    assert media.position_ms == (2 + 958 + 4 + 956 + 100_000) // 960 * 20
    assert len(session.output) == media.position_ms // 100
    await media.close()


def test_media_keep_their_promise() -> None:
    media: type[AppendedMedia] = SocketMedia
    assert media
