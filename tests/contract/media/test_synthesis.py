"""Synthesised speech and the timing of its words."""

from __future__ import annotations

import array
import asyncio
import itertools
import logging
import math
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from realtime_emulator.speech.synthesis import (
    EspeakVoice,
    Speech,
    ToneVoice,
    Voice,
    open_voice,
    split_words,
    time_words,
)
from realtime_emulator.speech.voices import TIMBRES
from realtime_emulator.speech.worker import Worker

TEXT = "Hello — in 2026 it's 21 °C, I'm well-known.  Once upon a time!\n"
NAMES = [
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "marin",
    "sage",
    "shimmer",
    "verse",
]


@pytest.fixture(scope="module")
def espeak() -> Iterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    voice.close()


@pytest.fixture(params=["espeak", "tone"])
def voice(request: pytest.FixtureRequest, espeak: EspeakVoice) -> Voice:
    return espeak if request.param == "espeak" else ToneVoice()


async def test_the_library_has_every_voice(
    espeak: EspeakVoice, caplog: pytest.LogCaptureFixture
) -> None:
    for name in TIMBRES:
        assert (await espeak.speak("One.", voice=name)).pcm
    assert not caplog.records


def zero_crossings(pcm: bytes) -> int:
    signs = [sample < 0 for sample in array.array("h", pcm)]
    return sum(a != b for a, b in itertools.pairwise(signs))


def loudness(pcm: bytes) -> float:
    samples = array.array("h", pcm)
    return math.sqrt(sum(s * s for s in samples) / len(samples))


async def test_words_are_the_text_in_order(voice: Voice) -> None:
    speech = await voice.speak(TEXT)
    assert "".join(word.text for word in speech.words) == TEXT
    assert [w.text.strip() for w in speech.words] == TEXT.split()
    assert speech.words[0].start >= timedelta()
    assert all(word.start <= word.end for word in speech.words)
    assert all(a.end <= b.start for a, b in zip(speech.words, speech.words[1:], strict=False))
    assert abs(speech.words[-1].end - speech.duration) < timedelta(milliseconds=50)


async def test_speech_is_audible_and_of_a_plausible_length(voice: Voice) -> None:
    speech = await voice.speak("one two three four five six seven eight nine ten")
    assert timedelta(seconds=2) < speech.duration < timedelta(seconds=6)
    assert speech.rate == 48_000
    assert len(speech.pcm) % 2 == 0
    assert loudness(speech.pcm) > 500


async def test_words_are_where_the_sound_is(espeak: EspeakVoice) -> None:
    speech = await espeak.speak("One. Two. Three.")
    long = [word.end - word.start for word in speech.words]
    assert all(timedelta(milliseconds=150) < each < timedelta(seconds=1.2) for each in long)


async def test_speed_changes_the_length(voice: Voice) -> None:
    slow = await voice.speak("a story to tell", speed=0.6)
    fast = await voice.speak("a story to tell", speed=1.5)
    assert slow.duration > 1.5 * fast.duration


async def test_every_voice_sounds_different(espeak: EspeakVoice) -> None:
    """The library adds random breathing, so even one voice never sounds quite the same twice."""

    def unlike(one: Speech, other: Speech) -> float:
        length, sound = (
            abs(a - b) / max(a, b)
            for a, b in (
                (len(one.pcm), len(other.pcm)),
                (zero_crossings(one.pcm), zero_crossings(other.pcm)),
            )
        )
        return 3 * length + sound

    text = "Hello there, how are you today?"
    said = [await espeak.speak(text, voice=name) for name in NAMES]
    again = [await espeak.speak(text, voice=name) for name in NAMES]
    assert max(map(unlike, said, again)) < 0.04
    assert min(unlike(a, b) for a, b in itertools.combinations(said, 2)) > 0.04


async def test_tones_differ_by_voice() -> None:
    said = {(await ToneVoice().speak("Hello there", voice=name)).pcm for name in NAMES}
    assert len(said) == len(NAMES)


async def test_an_unknown_voice_still_speaks(voice: Voice) -> None:
    assert (await voice.speak("Hello", voice="voice_123")).duration > timedelta()


@pytest.mark.parametrize("text", ["", "   ", "\n"])
async def test_nothing_to_say_takes_no_time(voice: Voice, text: str) -> None:
    speech = await voice.speak(text)
    assert "".join(word.text for word in speech.words) in ("", text)
    assert speech.duration < timedelta(milliseconds=300)


@pytest.mark.parametrize("text", ["\0 a \0", "<b>x</b> [[k@n]] & \ud800", "你好 世界", "😀 " * 50])
async def test_any_text_can_be_said(voice: Voice, text: str) -> None:
    speech = await voice.speak(text)
    assert "".join(word.text for word in speech.words) == text


async def test_questions_at_the_same_time_get_their_own_answers(espeak: EspeakVoice) -> None:
    texts = ["one", "two and two", "three and three and three"]
    together = await asyncio.gather(*map(espeak.speak, texts))
    assert ["".join(word.text for word in speech.words) for speech in together] == texts
    lengths = [speech.duration for speech in together]
    assert lengths == sorted(lengths)


async def test_the_library_is_not_loaded_into_the_emulator(espeak: EspeakVoice) -> None:
    await espeak.speak("Hello")
    assert "espeakng_loader" not in sys.modules


def test_a_word_without_a_sound_takes_no_time_before_the_next() -> None:
    ms = timedelta(milliseconds=1)
    words = time_words("a - b", [(0, 0 * ms), (4, 300 * ms)], 500 * ms)
    assert [(w.text, w.start // ms, w.end // ms) for w in words] == [
        ("a", 0, 300),
        (" -", 300, 300),
        (" b", 300, 500),
    ]


def test_split_loses_nothing() -> None:
    assert split_words(" a  b\n") == [" a", "  b\n"]
    assert split_words("") == []


async def test_without_the_synthesiser_a_tone_speaks_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(open_voice(), ToneVoice)
    assert [r.levelno for r in caplog.records] == [logging.WARNING]


async def test_a_synthesiser_that_cannot_load_is_replaced_and_announced_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voice = EspeakVoice(Worker("tests.contract.media.broken"))
    first: Speech = await voice.speak("Hello")
    assert first == await ToneVoice().speak("Hello") == await voice.speak("Hello")
    voice.close()
    assert len(caplog.records) == 1
    assert "no such library" in caplog.text
