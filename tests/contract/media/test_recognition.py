"""Recognition of recorded speech."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from realtime_emulator.media.vad import SpeechStopped, TurnDetection, VoiceActivityDetector
from realtime_emulator.speech.pocketsphinx_worker import MOST_STREAMS
from realtime_emulator.speech.recognition import (
    DeafRecogniser,
    RecognitionStream,
    SphinxRecogniser,
    open_recogniser,
)
from realtime_emulator.speech.worker import Worker
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


async def feed(stream: RecognitionStream, pcm: bytes, size: int = 12_800) -> list[list[str]]:
    """The words after each piece."""
    heard = []
    for at in range(0, len(pcm), size):
        words = await stream.feed(pcm[at : at + size], is_last=at + size >= len(pcm))
        assert words is not None
        heard.append([word.text for word in words])
    return heard


async def test_a_stream_hears_words_before_the_end_and_the_same_at_the_end(
    sphinx: SphinxRecogniser,
) -> None:
    (pcm,) = turns("hello.wav")
    heard = await feed(sphinx.open_stream(), pcm)
    assert heard[-1] == ["hello", "can", "you", "hear", "me"]
    assert heard[-3][:2] == ["hello", "can"]


async def test_a_stream_does_not_depend_on_who_spoke_before(sphinx: SphinxRecogniser) -> None:
    (hello,), (goodbye,) = turns("hello.wav"), turns("goodbye.wav")
    first = await feed(sphinx.open_stream(), hello)
    await feed(sphinx.open_stream(), goodbye)
    assert await feed(sphinx.open_stream(), hello) == first


async def test_words_have_times(sphinx: SphinxRecogniser) -> None:
    (pcm,) = turns("hello.wav")
    words = await sphinx.recognise_words(pcm)
    assert [word.text for word in words] == ["hello", "can", "you", "hear", "me"]
    ends = [word.end for word in words]
    assert ends == sorted(ends)
    assert all(word.start < word.end for word in words)
    assert ends[-1].total_seconds() <= len(pcm) / 32_000


async def test_few_streams_run_at_once_and_a_dropped_one_makes_room(
    sphinx: SphinxRecogniser,
) -> None:
    (pcm,) = turns("hello.wav")
    streams = [sphinx.open_stream() for _ in range(MOST_STREAMS)]
    for stream in streams:
        assert await stream.feed(pcm[:12_800]) is not None
    assert await sphinx.open_stream().feed(pcm[:12_800]) is None
    streams[0].drop()
    assert await streams[0].feed(pcm) is None
    assert (await feed(sphinx.open_stream(), pcm))[-1][0] == "hello"
    for stream in streams:
        stream.drop()


async def test_a_stream_ends_with_the_process_that_had_it(sphinx: SphinxRecogniser) -> None:
    (pcm,) = turns("hello.wav")
    stream = sphinx.open_stream()
    assert await stream.feed(pcm[:12_800]) is not None
    process = sphinx.worker.thread.process
    assert process is not None
    process.kill()
    assert await stream.feed(pcm[12_800:], is_last=True) is None
    assert await sphinx.recognise(pcm) == "hello can you hear me"


async def test_a_cancelled_piece_harms_no_other_stream(sphinx: SphinxRecogniser) -> None:
    (pcm,) = turns("hello.wav")
    first, second = sphinx.open_stream(), sphinx.open_stream()
    asking = asyncio.ensure_future(first.feed(pcm[:12_800]))
    other = asyncio.ensure_future(second.feed(pcm[:12_800]))
    await asyncio.sleep(0)
    asking.cancel()
    first.drop()
    assert await other is not None
    assert await second.feed(pcm[12_800:], is_last=True)
