"""A recording of two voices that speak: a player plays it, and who hears it understands the words
of each on their own channel, also after a run was killed in the middle."""

from __future__ import annotations

from itertools import pairwise

import pytest

from realtime_emulator.speech.synthesis import EspeakVoice, resample
from shared.recordings.call_recording import CallRecording
from shared.storage.memory import MemoryStorage
from tests.support.live_call_audio import CALLER_LATE_MS, MODEL_LATE_MS, LiveCallAudio, Pcm, ours
from tests.support.recorded_voices import RATE, play, understood
from tests.support.voice import recording as voice_fixture

FRAME = RATE // 5 * 2
CALLER_SAYS = {
    2: ("hello.wav", "hello can you hear me"),
    20: ("weather.wav", "what is the weather in london"),
    50: ("goodbye.wav", "thank you goodbye"),
}
"""By the second in which each begins."""
MODEL_SAYS = {7: "hello can you hear me", 26: "what is the weather in london"}
SECONDS = 60


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
        second: resample(speech.pcm, speech.rate, RATE)
        for second, text in MODEL_SAYS.items()
        if (speech := await voice.speak(text))
    }
    voice.close()
    caller = {
        second: resample(voice_fixture(name), 16_000, RATE)
        for second, (name, _) in CALLER_SAYS.items()
    }
    return laid_out(caller), laid_out(model)


async def test_a_minute_of_two_voices_is_understood(voices: tuple[bytes, bytes]) -> None:
    call = LiveCallAudio(MemoryStorage().log("transcripts"))
    recording = call.recording()
    for until in range(5, SECONDS + 1, 5):
        hear(recording, call, voices, until)
        await recording.flush(ours)
    await recording.close(ours)
    left, right = play(call.log.read(f"{call.name}.wav"))
    assert abs(len(left) / 32_000 - SECONDS) < 1
    heard, answers = await understood(left, right)
    assert [words for _, words in heard] == [words for _, words in CALLER_SAYS.values()]
    for (ended, _), (began, over) in zip(heard, pairwise([*CALLER_SAYS, SECONDS]), strict=True):
        assert began <= ended < over
    # The recogniser mistakes a synthetic voice's first word now and then.
    ends = [words.split()[-2:] for _, words in answers]
    assert ends == [words.split()[-2:] for words in MODEL_SAYS.values()]


async def test_a_run_that_is_killed_leaves_what_it_had_written(
    voices: tuple[bytes, bytes],
) -> None:
    call = LiveCallAudio(MemoryStorage().log("transcripts"))
    killed = call.recording()
    for until in range(5, 36, 5):
        hear(killed, call, voices, until)
        await killed.flush(ours)
    left, _ = play(call.log.read(f"{call.name}.wav"))
    (heard,) = await understood(left)
    assert [words for _, words in heard] == [
        words for second, (_, words) in CALLER_SAYS.items() if second < 35
    ]
    call.at = 42_000
    next_run = call.recording()
    hear(next_run, call, voices, SECONDS)
    await next_run.close(ours)
    left, right = play(call.log.read(f"{call.name}.wav"))
    heard, answers = await understood(left, right)
    assert [words for _, words in heard] == [words for _, words in CALLER_SAYS.values()]
    # The recogniser mistakes a synthetic voice's first word now and then.
    ends = [words.split()[-2:] for _, words in answers]
    assert ends == [words.split()[-2:] for words in MODEL_SAYS.values()]
    stated = call.missing()
    assert {side for side, *_ in stated} == {"caller", "model"}
    for _, since, until, reason in stated:
        assert reason == "taken over"
        assert 33_000 < since < 35_000
        assert 41_000 < until < 43_000
