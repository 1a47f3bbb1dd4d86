"""Speech synthesis: text in, audio with word timings out."""

from __future__ import annotations

import array
import importlib.util
import logging
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from av import AudioFrame, AudioResampler

from realtime_emulator.speech import espeak_worker
from realtime_emulator.speech.worker import Worker, WorkerFailed

logger = logging.getLogger(__name__)

RATE: Final = 48_000
"""Samples per second of all synthesised speech, the rate of Opus."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it is spoken. `"".join(w.text for w in words)` is the whole text."""

    text: str
    start: timedelta
    end: timedelta


@dataclass(frozen=True, slots=True)
class Speech:
    """Mono s16le audio and the words in it."""

    pcm: bytes
    words: tuple[Word, ...]
    rate: int = RATE

    @property
    def duration(self) -> timedelta:
        return timedelta(seconds=len(self.pcm) / 2 / self.rate)

    def first_words(self, count: int) -> Speech:
        """The beginning of the speech, up to the end of its word number `count`."""
        if count >= len(self.words):
            return self
        words = self.words[:count]
        end = words[-1].end if words else timedelta(0)
        samples = int(end.total_seconds() * self.rate)
        return Speech(self.pcm[: 2 * samples], words, self.rate)


class Voice(Protocol):
    """Turns text into speech."""

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        """Speaks `text` in one of the Realtime API's voices at a speed of 0.25 to 1.5.

        An unknown name gets the default voice. Text without words gives empty speech;
        `speak("")` warms the voice up.
        """
        ...


class EspeakVoice:
    """eSpeak NG in a worker process, started with the first request.

    It speaks at least 80 words a minute, so the lowest speeds sound alike.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker(espeak_worker.__name__)
        self.fallback = ToneVoice()
        self.has_warned = False

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        question = {"text": text, "voice": voice, "speed": speed}
        try:
            answer, pcm = await self.worker.ask(question)
        except WorkerFailed as failure:
            if not self.has_warned:
                self.has_warned = True
                logger.warning("speech synthesis failed, tones are played instead: %s", failure)
            return await self.fallback.speak(text, voice=voice, speed=speed)
        speech = resample(pcm, answer["rate"])
        length = timedelta(seconds=len(speech) / 2 / RATE)
        marks = [(position, timedelta(milliseconds=at)) for position, at in answer["marks"]]
        return Speech(speech, time_words(text, marks, length))

    def close(self) -> None:
        self.worker.close()


class ToneVoice:
    """The fallback where eSpeak NG is not installed: one soft tone a word, at regular intervals.

    Voices differ by pitch.
    """

    EACH: Final = timedelta(milliseconds=350)
    SOUND: Final = timedelta(milliseconds=250)
    AMPLITUDE: Final = 6000

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        words = split_words(text)
        each = self.EACH / speed
        sounding = round((self.SOUND / speed).total_seconds() * RATE)
        pitch = 180 + sum(voice.encode()) % 200
        beep = array.array(
            "h",
            (
                round(
                    self.AMPLITUDE
                    * math.sin(math.pi * n / sounding)
                    * math.sin(2 * math.pi * pitch * n / RATE)
                )
                for n in range(sounding)
            ),
        )
        if sys.byteorder == "big":
            beep.byteswap()
        silence = round(each.total_seconds() * RATE) - sounding
        one = beep.tobytes() + bytes(2 * silence)
        timing = tuple(Word(word, n * each, (n + 1) * each) for n, word in enumerate(words))
        return Speech(one * len(words), timing)


def open_voice() -> Voice:
    """The synthesiser if it is installed; otherwise the fallback, with a warning in the log."""
    if importlib.util.find_spec("espeakng_loader") is None:
        logger.warning("espeakng-loader is not installed: tones are played instead of speech")
        return ToneVoice()
    return EspeakVoice()


def split_words(text: str) -> list[str]:
    """Splits text into words that keep the whitespace before them, so that no text is lost."""
    words = re.findall(r"\s*\S+", text)
    if words:
        words[-1] += text[sum(map(len, words)) :]
    return words


def time_words(
    text: str, marks: Sequence[tuple[int, timedelta]], length: timedelta
) -> tuple[Word, ...]:
    """Assigns each word of the text its start and end.

    `marks` are pairs of a character position and the time at which its sound starts. A word may
    have several ("2026") or none ("-"), in which case it takes no time, just before the next.
    """
    starts: list[timedelta] = []
    end = 0
    remaining = list(marks)
    words = split_words(text)
    for word in words:
        end += len(word)
        own = []
        while remaining and remaining[0][0] < end:
            own.append(remaining.pop(0)[1])
        following = remaining[0][1] if remaining else length
        start = min(own[0] if own else following, length)
        starts.append(max(start, starts[-1]) if starts else start)
    ends = [*starts[1:], length]
    return tuple(map(Word, words, starts, ends))


def resample(pcm: bytes, rate: int, wanted: int = RATE) -> bytes:
    """Mono s16le at `rate`, resampled to the wanted one."""
    if not pcm or rate == wanted:
        return pcm
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = rate
    resampler = AudioResampler(format="s16", layout="mono", rate=wanted)
    return b"".join(
        bytes(out.planes[0])[: 2 * out.samples]
        for out in [*resampler.resample(frame), *resampler.resample(None)]
    )
