"""The emulator's voice: text in, speech with word timing out."""

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

from local.emulator.speech.worker import Worker, WorkerFailed

logger = logging.getLogger(__name__)

RATE: Final = 48_000
"""Samples per second of all speech: what Opus carries."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it is said. `"".join(w.text for w in words)` is the whole text."""

    text: str
    start: timedelta
    end: timedelta


@dataclass(frozen=True, slots=True)
class Speech:
    """Mono s16le audio and its words."""

    pcm: bytes
    words: tuple[Word, ...]
    rate: int = RATE

    @property
    def duration(self) -> timedelta:
        return timedelta(seconds=len(self.pcm) / 2 / self.rate)


class Voice(Protocol):
    """Says things."""

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        """Takes the text, one of the Realtime API's voice names and its speed (0.25 to 1.5).

        An unknown name gets the default voice. Text without a word gives empty speech, and so
        does `speak("")`, which warms the voice up.
        """
        ...


class EspeakVoice:
    """eSpeak NG in a worker process, started with the first question.

    It speaks no slower than 80 words a minute, so the lowest speeds sound alike.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker = worker or Worker("local.emulator.speech.espeak")
        self._fallback = ToneVoice()
        self._complained = False

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        question = {"text": text, "voice": voice, "speed": speed}
        try:
            answer, pcm = await self._worker.ask(question)
        except WorkerFailed as failure:
            if not self._complained:
                self._complained = True
                logger.warning("the voice fails, a tone takes its place: %s", failure)
            return await self._fallback.speak(text, voice=voice, speed=speed)
        speech = resampled(pcm, answer["rate"])
        length = timedelta(seconds=len(speech) / 2 / RATE)
        marks = [(position, timedelta(milliseconds=at)) for position, at in answer["marks"]]
        return Speech(speech, timed(text, marks, length))

    def close(self) -> None:
        self._worker.close()


class ToneVoice:
    """Stands in where no synthesiser is installed: one soft tone a word, evenly spread.

    The voice names keep apart by their pitch.
    """

    EACH: Final = timedelta(milliseconds=350)
    SOUND: Final = timedelta(milliseconds=250)
    AMPLITUDE: Final = 6000

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        words = split(text)
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
    """Gives the synthesiser if it is installed; says so once in the log if not."""
    if importlib.util.find_spec("espeakng_loader") is None:
        logger.warning("espeakng-loader is not installed: a tone takes the place of the voice")
        return ToneVoice()
    return EspeakVoice()


def split(text: str) -> list[str]:
    """Cuts text into words that keep the space before them; nothing of the text is lost."""
    words = re.findall(r"\s*\S+", text)
    if words:
        words[-1] += text[sum(map(len, words)) :]
    return words


def timed(text: str, marks: Sequence[tuple[int, timedelta]], length: timedelta) -> tuple[Word, ...]:
    """Gives each word of the text its time.

    `marks` say at which character a sound starts, and when; several may fall into one word
    ("2026"), or none ("-"): such a word takes no time, just before the next.
    """
    starts: list[timedelta] = []
    end = 0
    remaining = list(marks)
    words = split(text)
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


def resampled(pcm: bytes, rate: int) -> bytes:
    """Mono s16le at any rate to `RATE`."""
    if not pcm or rate == RATE:
        return pcm
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = rate
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    return b"".join(
        bytes(out.planes[0])[: 2 * out.samples]
        for out in [*resampler.resample(frame), *resampler.resample(None)]
    )
