"""The model's ears: where the caller's speech starts and ends, and its words as they are spoken."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.live.media_interfaces import GRID_MS, Fragment, Utterance
from realtime_emulator.live.utterance_in_progress import (
    BYTES_PER_MS,
    HeardWord,
    UtteranceInProgress,
)
from realtime_emulator.media.vad import (
    SpeechStarted,
    TurnDetection,
    VoiceActivityDetector,
)

if TYPE_CHECKING:
    from realtime_emulator.call.services import Lazy
    from realtime_emulator.speech.recognition import Recogniser

logger = logging.getLogger(__name__)

PADDING: Final = timedelta(milliseconds=300)
PAUSE: Final = timedelta(milliseconds=500)
"""A silence of this length ends an utterance."""

PAUSING_MS: Final = 240
"""After a silence of this length the recogniser is asked about what may have been all."""

LAG_MS: Final = 500
"""How long after the end of their cell the words of the caller come at the earliest; recorded were
0.6 to 1.2 s from when they were spoken."""

MOST_UNFINISHED: Final = 16
"""How many utterances of one session may wait for the recogniser; what comes on top has only the
words that were settled while it was spoken."""


@dataclass(frozen=True, slots=True)
class Speech:
    """What the caller is saying at the moment: where it started and where it last sounded."""

    onset_ms: int
    last_voiced_ms: int

    @property
    def length_ms(self) -> int:
        return self.last_voiced_ms - self.onset_ms


class Ears:
    """Hears one caller."""

    def __init__(
        self,
        recogniser: Lazy[Recogniser],
        *,
        on_started: Callable[[int], None],
        on_ended: Callable[[Utterance], None],
        on_words: Callable[[Fragment], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.recogniser = recogniser
        self.on_started = on_started
        self.on_ended = on_ended
        self.spawn = spawn
        self.words = FragmentQueue(on_words)
        self.vad = VoiceActivityDetector(TurnDetection(0.5, PADDING, PAUSE))
        self.speech: Speech | None = None
        self.utterance: UtteranceInProgress | None = None
        self.turn = asyncio.Semaphore(1)
        """One window of this caller at a time is in the recogniser, in their order."""
        self.is_asking = False
        self.rest_until = 0.0
        """A slow recogniser is not asked all the time: ends of utterances come first."""
        self.unfinished: set[UtteranceInProgress] = set()
        """The utterances that are over and wait for their last words."""

    def add_frame(self, pcm: bytes, end_ms: int) -> None:
        """Takes 20 ms of 16 kHz audio that end at that position."""
        for event in self.vad.add_audio(pcm):
            if isinstance(event, SpeechStarted):
                self.start(end_ms)
            else:
                self.stop(event.pcm, end_ms)
        if self.speech is not None and self.utterance is not None:
            if self.vad.recent and self.vad.recent[-1]:
                self.speech = Speech(self.speech.onset_ms, end_ms)
            self.ask_if_due(self.speech, self.utterance, end_ms)

    def quiet_ms(self, now_ms: int) -> int:
        """How long the caller who is speaking has made no sound."""
        return now_ms - self.speech.last_voiced_ms if self.speech is not None else 0

    def release_words(self, now_ms: int) -> None:
        """Passes on the words whose time has come."""
        self.words.release(now_ms)

    def forget(self) -> None:
        """Drops what is being said: the model is no longer listening."""
        self.vad.clear_audio()
        if self.utterance is not None:
            self.utterance.drop()
        self.speech = None
        self.utterance = None

    def close(self) -> None:
        """Drops everything."""
        self.forget()
        for utterance in self.unfinished:
            utterance.drop()

    def start(self, end_ms: int) -> None:
        start_ms = max(0, end_ms - len(self.vad.kept) // BYTES_PER_MS)
        onset_ms = min(end_ms, start_ms + round(PADDING.total_seconds() * 1000))
        self.speech = Speech(onset_ms, end_ms)
        self.utterance = UtteranceInProgress(start_ms, self.recogniser, self.words.add)
        self.on_started(onset_ms)

    def stop(self, pcm: bytes, end_ms: int) -> None:
        speech, utterance = self.speech, self.utterance
        self.speech = self.utterance = None
        if speech is None or utterance is None:
            return
        if len(self.unfinished) >= MOST_UNFINISHED:
            logger.warning("too many utterances at once: one is not understood")
            utterance.drop()
            self.on_ended(Utterance("", speech.onset_ms, speech.last_voiced_ms))
            return
        self.unfinished.add(utterance)
        self.spawn(self.finish(utterance, speech, pcm, end_ms))

    def ask_if_due(self, speech: Speech, utterance: UtteranceInProgress, end_ms: int) -> None:
        if self.is_asking or self.turn.locked():
            return
        is_pausing = self.quiet_ms(end_ms) >= PAUSING_MS
        if not is_pausing and asyncio.get_running_loop().time() < self.rest_until:
            return
        if utterance.is_due(end_ms, is_pausing=is_pausing, last_voiced_ms=speech.last_voiced_ms):
            size = (end_ms - utterance.window_ms) * BYTES_PER_MS
            window = bytes(self.vad.kept[-size:])
            self.is_asking = True
            utterance.asked_ms = end_ms
            self.spawn(self.ask(utterance, window, end_ms, is_pausing))

    async def ask(
        self, utterance: UtteranceInProgress, window: bytes, end_ms: int, is_pausing: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self.turn:
                asked_at = loop.time()
                await utterance.ask(window, end_ms, is_pausing=is_pausing)
                self.rest_until = 2 * loop.time() - asked_at
        finally:
            self.is_asking = False

    async def finish(
        self, utterance: UtteranceInProgress, speech: Speech, pcm: bytes, end_ms: int
    ) -> None:
        try:
            async with self.turn:
                text = await utterance.finish(pcm, end_ms, speech.last_voiced_ms)
        finally:
            utterance.drop()
            self.unfinished.discard(utterance)
        self.on_ended(Utterance(text, speech.onset_ms, speech.last_voiced_ms))


class FragmentQueue:
    """Words on their way into the transcript: one fragment for each cell of the timeline."""

    def __init__(self, on_words: Callable[[Fragment], None]) -> None:
        self.on_words = on_words
        self.waiting: deque[Fragment] = deque()
        self.last_start_ms = 0
        self.has_words = False

    def add(self, words: Sequence[HeardWord]) -> None:
        for word in words:
            start = max(self.last_start_ms, word.start_ms // GRID_MS * GRID_MS)
            text = f" {word.text}" if self.has_words else word.text
            if self.waiting and self.waiting[-1].start_ms == start:
                text = self.waiting.pop().text + text
            self.waiting.append(Fragment(text, start, start + GRID_MS))
            self.last_start_ms = start
            self.has_words = True

    def release(self, now_ms: int) -> None:
        while self.waiting and self.waiting[0].end_ms + LAG_MS <= now_ms:
            self.on_words(self.waiting.popleft())
