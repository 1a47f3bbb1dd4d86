"""Speech recognition: a small offline recogniser, good enough for a script's keywords."""

from __future__ import annotations

import importlib.util
import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, runtime_checkable

from realtime_emulator.speech import pocketsphinx_worker
from realtime_emulator.speech.worker import Worker, WorkerFailed

logger = logging.getLogger(__name__)

RATE: Final = 16_000
NOTHING: Final = timedelta(0)
LONGEST_BYTES: Final = 60 * RATE * 2
"""Only the last minute of an utterance is decoded, which takes a fifth of its length."""


class Recogniser(Protocol):
    """Turns one utterance into words."""

    async def recognise(self, pcm: bytes) -> str:
        """The lower-case words in 16 kHz mono s16le audio, or "" if it recognised none.

        Never raises for audio it cannot understand. `recognise(b"")` returns "" and warms it up.
        """
        ...


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word and where it is in the audio."""

    text: str
    start: timedelta
    end: timedelta


@runtime_checkable
class TimedRecogniser(Recogniser, Protocol):
    """A recogniser that also says when each word was spoken."""

    @property
    def waiting(self) -> int:
        """How many requests it has not yet answered: of all callers, because they share it."""
        ...

    async def recognise_words(self, pcm: bytes) -> tuple[TimedWord, ...]:
        """As `recognise`, with times."""
        ...


class RecognitionStream(Protocol):
    """One utterance, recognised while it is spoken."""

    async def feed(self, pcm: bytes, *, is_last: bool = False) -> tuple[TimedWord, ...] | None:
        """The words so far, all of which may still change; after the last piece, those that hold.
        None if this utterance cannot be recognised like this (any more)."""
        ...

    def drop(self) -> None:
        """Nobody needs it any more. Does nothing after the last piece."""
        ...


@runtime_checkable
class StreamingRecogniser(TimedRecogniser, Protocol):
    """A recogniser for utterances that are not over."""

    def open_stream(self) -> RecognitionStream: ...


async def recognise_words(recogniser: Recogniser, pcm: bytes) -> tuple[TimedWord, ...]:
    """The words with their times, which are estimated if the recogniser does not know them."""
    if isinstance(recogniser, TimedRecogniser):
        return await recogniser.recognise_words(pcm)
    words = (await recogniser.recognise(pcm)).split()
    length = timedelta(seconds=len(pcm) / RATE / 2) / max(1, len(words))
    return tuple(TimedWord(word, n * length, (n + 1) * length) for n, word in enumerate(words))


class SphinxRecogniser:
    """PocketSphinx in a worker process, started with the first request."""

    def __init__(self, worker: Worker | None = None) -> None:
        self.worker = worker or Worker(pocketsphinx_worker.__name__)
        self.has_warned = False
        self.waiting = 0

    async def recognise(self, pcm: bytes) -> str:
        return str((await self.ask(pcm[-LONGEST_BYTES:]))["words"])

    async def recognise_words(self, pcm: bytes) -> tuple[TimedWord, ...]:
        heard = pcm[-LONGEST_BYTES:]
        skipped = timedelta(seconds=(len(pcm) - len(heard)) / RATE / 2)
        return timed_words(await self.ask(heard), skipped)

    async def ask(self, pcm: bytes) -> dict[str, Any]:
        self.waiting += 1
        try:
            answer, _ = await self.worker.ask({}, pcm)
        except WorkerFailed as failure:
            if not self.has_warned:
                self.has_warned = True
                logger.warning("speech recognition failed, callers are not understood: %s", failure)
            return {"words": "", "times": []}
        finally:
            self.waiting -= 1
        return answer

    def open_stream(self) -> RecognitionStream:
        return SphinxStream(self)

    def close(self) -> None:
        self.worker.close()


class SphinxStream:
    """A stream of the worker process."""

    def __init__(self, recogniser: SphinxRecogniser) -> None:
        self.recogniser = recogniser
        self.name = secrets.token_hex(8)
        self.has_begun = False
        self.is_over = False

    async def feed(self, pcm: bytes, *, is_last: bool = False) -> tuple[TimedWord, ...] | None:
        if self.is_over:
            return None
        question = {"stream": self.name, "first": not self.has_begun, "last": is_last}
        self.has_begun = True
        self.recogniser.waiting += 1
        try:
            answer, _ = await self.recogniser.worker.ask(question, pcm, in_any_case=True)
        except WorkerFailed:
            answer = {"lost": True}
        finally:
            self.recogniser.waiting -= 1
        self.is_over = self.is_over or is_last or "lost" in answer
        return None if "lost" in answer else timed_words(answer)

    def drop(self) -> None:
        if self.has_begun and not self.is_over:
            self.recogniser.worker.tell({"stream": self.name, "drop": True})
        self.is_over = True


def timed_words(answer: dict[str, Any], skipped: timedelta = NOTHING) -> tuple[TimedWord, ...]:
    """The words of an answer of the worker."""
    return tuple(
        TimedWord(
            text, skipped + timedelta(milliseconds=start), skipped + timedelta(milliseconds=end)
        )
        for text, start, end in answer["times"]
    )


class DeafRecogniser:
    """The fallback where PocketSphinx is not installed: recognises nothing."""

    async def recognise(self, pcm: bytes) -> str:  # noqa: ARG002
        return ""


def open_recogniser() -> Recogniser:
    """The recogniser if it is installed; otherwise the fallback, with a warning in the log."""
    if importlib.util.find_spec("pocketsphinx") is None:
        logger.warning("pocketsphinx is not installed: callers are heard but not understood")
        return DeafRecogniser()
    return SphinxRecogniser()
