"""A recording of two voices that speak: a player plays it, and who hears it understands the words
of each on their own channel, also after a run was killed in the middle."""

from __future__ import annotations

import io
from array import array
from itertools import pairwise

import av
import pytest
from av.audio.resampler import AudioResampler

from local.emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from local.emulator.speech.recognition import SphinxRecogniser
from local.emulator.speech.synthesis import EspeakVoice
from shared.recordings.audio import Pcm
from shared.recordings.call_recording import CallRecording
from shared.storage.memory import MemoryStorage
from tests.support.live_call_audio import CALLER_LATE_MS, MODEL_LATE_MS, LiveCallAudio, ours
from tests.support.voice import recording as voice_fixture

RATE = 24_000
FRAME = RATE // 5 * 2
CALLER_SAYS = {
    2: ("hello.wav", "hello can you hear me"),
    20: ("weather.wav", "what is the weather in london"),
    50: ("goodbye.wav", "thank you goodbye"),
}
"""By the second in which each begins."""
MODEL_SAYS = {7: "hello can you hear me", 26: "what is the weather in london"}
SECONDS = 60


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


def laid_out(said: dict[int, bytes]) -> bytes:
    """A minute of 24 kHz audio with each utterance at its second."""
    whole = bytearray(SECONDS * RATE * 2)
    for second, pcm in said.items():
        at = second * RATE * 2
        whole[at : at + len(pcm)] = pcm
    return bytes(whole)


def hear(
    recording: CallRecording, call: LiveCallAudio, voices: tuple[bytes, bytes], until: int
) -> None:
    """Gives the recording both voices up to that second, frame by frame as they would come."""
    comings = [
        (late + 200 * number, side, number)
        for late, side in ((CALLER_LATE_MS, 0), (MODEL_LATE_MS, 1))
        for number in range(until * 5)
    ]
    for comes, side, number in sorted(comings):
        if not call.at < comes <= until * 1000:
            continue
        call.at = comes
        part = Pcm(voices[side][number * FRAME : (number + 1) * FRAME])
        if side == 0:
            recording.add_caller(part)
        else:
            recording.add_model(part, 200 * number)
    call.at = until * 1000


@pytest.fixture
async def voices() -> tuple[bytes, bytes]:
    voice = EspeakVoice()
    model = {
        second: resampled(speech.pcm, speech.rate, RATE)
        for second, text in MODEL_SAYS.items()
        if (speech := await voice.speak(text))
    }
    voice.close()
    caller = {
        second: resampled(voice_fixture(name), 16_000, RATE)
        for second, (name, _) in CALLER_SAYS.items()
    }
    return laid_out(caller), laid_out(model)


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


async def test_a_minute_of_two_voices_is_understood(voices: tuple[bytes, bytes]) -> None:
    call = LiveCallAudio(MemoryStorage().log("transcripts"))
    recording = call.recording()
    for until in range(5, SECONDS + 1, 5):
        hear(recording, call, voices, until)
        await recording.flush(ours)
    await recording.close(ours)
    left, right = play(call.log.read(f"{call.name}.wav"))
    assert abs(len(left) / 32_000 - SECONDS) < 1
    heard = await understood(left)
    assert [words for _, words in heard] == [words for _, words in CALLER_SAYS.values()]
    for (ended, _), (began, over) in zip(heard, pairwise([*CALLER_SAYS, SECONDS]), strict=True):
        assert began <= ended < over
    assert [words for _, words in await understood(right)] == list(MODEL_SAYS.values())


async def test_a_run_that_is_killed_leaves_what_it_had_written(
    voices: tuple[bytes, bytes],
) -> None:
    call = LiveCallAudio(MemoryStorage().log("transcripts"))
    killed = call.recording()
    for until in range(5, 36, 5):
        hear(killed, call, voices, until)
        await killed.flush(ours)
    left, _ = play(call.log.read(f"{call.name}.wav"))
    assert [words for _, words in await understood(left)] == [
        words for second, (_, words) in CALLER_SAYS.items() if second < 35
    ]
    call.at = 42_000
    next_run = call.recording()
    hear(next_run, call, voices, SECONDS)
    await next_run.close(ours)
    left, right = play(call.log.read(f"{call.name}.wav"))
    assert [words for _, words in await understood(left)] == [
        words for _, words in CALLER_SAYS.values()
    ]
    assert [words for _, words in await understood(right)] == list(MODEL_SAYS.values())
    stated = call.missing()
    assert {side for side, *_ in stated} == {"caller", "model"}
    for _, since, until, reason in stated:
        assert reason == "taken over"
        assert 33_000 < since < 35_000
        assert 41_000 < until < 43_000
