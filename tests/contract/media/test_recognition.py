"""Recognition of recorded speech."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from local.emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from local.emulator.speech.recognition import DeafRecogniser, SphinxRecogniser, open_recogniser
from local.emulator.speech.worker import Worker
from tests.support.voice import hiss, recording


@pytest.fixture(scope="module")
def sphinx() -> Iterator[SphinxRecogniser]:
    recogniser = SphinxRecogniser()
    yield recogniser
    recogniser.close()


def turns(name: str) -> list[bytes]:
    events = VoiceActivityDetector(TurnDetection()).add_audio(recording(name))
    return [event.pcm for event in events if isinstance(event, SpeechStopped)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hello.wav", ["hello can you hear me"]),
        ("story-then-stop.wav", ["please tell me a long story", "stop now please"]),
        ("weather.wav", ["what is the weather in london"]),
        ("goodbye.wav", ["thank you goodbye"]),
    ],
)
async def test_the_fixtures_are_understood(
    sphinx: SphinxRecogniser, name: str, said: list[str]
) -> None:
    assert [await sphinx.recognise(pcm) for pcm in turns(name)] == said


async def test_the_same_audio_gives_the_same_words(sphinx: SphinxRecogniser) -> None:
    (pcm,) = turns("hello.wav")
    assert len(set(await asyncio.gather(*(sphinx.recognise(pcm) for _ in range(3))))) == 1


@pytest.mark.parametrize("pcm", [b"", bytes(640), hiss(1)], ids=["nothing", "a frame", "hiss"])
async def test_what_is_no_speech_gives_no_words(sphinx: SphinxRecogniser, pcm: bytes) -> None:
    assert await sphinx.recognise(pcm) == ""


async def test_without_the_recogniser_nothing_is_understood_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    recogniser = open_recogniser()
    assert isinstance(recogniser, DeafRecogniser)
    assert await recogniser.recognise(bytes(640)) == ""
    assert [r.levelno for r in caplog.records] == [logging.WARNING]


async def test_a_recogniser_that_cannot_load_is_announced_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recogniser = SphinxRecogniser(Worker("tests.contract.media.broken"))
    assert [await recogniser.recognise(bytes(640)) for _ in range(2)] == ["", ""]
    recogniser.close()
    assert len(caplog.records) == 1
