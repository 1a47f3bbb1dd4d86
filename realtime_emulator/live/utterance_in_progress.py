"""What the caller says: an utterance on its way to words while it is still being spoken.

A recogniser that takes streams is fed what is new every 0.4 s; the end of the utterance then costs
little. It takes few of them at once. Others, and recognisers that take none, are asked again and
again about a window that begins with the utterance and moves on with the words that are settled, so
that the work for a second of speech is bounded.

A word is settled when two answers agree on it, or when it has been said a while ago.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from realtime_emulator.call.services import Lazy
    from realtime_emulator.speech.recognition import Recogniser, RecognitionStream, TimedWord

logger = logging.getLogger(__name__)

BYTES_PER_MS: Final = 32
"""16 kHz mono s16le."""

FIRST_MS: Final = 700
STEP_MS: Final = 400
"""After how much more speech the recogniser is asked again."""

UNSURE_MS: Final = 600
"""The end of what was heard so far may cut a word in two, and what follows may change it. Measured
on the recorded voices: with 250 a tenth of the transcripts differ from the last answer, with 600
none."""

SETTLED_MS: Final = 1_500
"""What was said so long ago is settled, even if the answers differ."""

SEGMENT_MS: Final = 15_000
SHORT_SEGMENT_MS: Final = 6_000
"""How long a stream becomes at most, and how long at most before it ends in a pause. The next goes
on where it ended."""

WINDOW_MS: Final = 6_000
KEPT_MS: Final = 2_500
"""A window that has become too long is shortened to this; what the recogniser has heard before a
word helps it with the next."""

BUSY: Final = 2
"""While the recogniser, which all sessions share, has this many requests, only ends of utterances
are added."""

SHIFT_MS: Final = 250
"""How far apart two answers may place the same word."""

LONGEST: Final = timedelta(seconds=30)
"""How long the end of an utterance is waited for."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word on the session's timeline."""

    text: str
    start_ms: int
    end_ms: int


OnWords = Callable[[Sequence[HeardWord]], None]


class UtteranceInProgress:
    """One utterance. `on_words` gets each word once, as soon as it is settled."""

    def __init__(self, start_ms: int, recogniser: Lazy[Recogniser], on_words: OnWords) -> None:
        self.recogniser = recogniser
        self.on_words = on_words
        self.window_ms = start_ms
        self.is_whole = True
        """Whether the window still begins with the utterance."""
        self.asked_ms = start_ms
        """The end of the last window that the recogniser was, or is about to be, asked about."""
        self.settled: list[HeardWord] = []
        self.guess: list[HeardWord] = []
        """The last answer."""
        self.stream: RecognitionStream | None = None
        self.may_stream = True
        self.fed_ms = start_ms
        """The end of what the stream has got."""

    @property
    def settled_ms(self) -> int:
        return self.settled[-1].end_ms if self.settled else self.window_ms

    def is_due(self, end_ms: int, *, is_pausing: bool, last_voiced_ms: int) -> bool:
        """Whether to ask the recogniser now: after enough new speech, and at once in a pause, which
        may be the end."""
        if is_pausing:
            return self.asked_ms < last_voiced_ms
        wait = FIRST_MS if not self.guess else STEP_MS
        return end_ms - self.asked_ms >= wait and not self.is_recogniser_busy()

    def is_recogniser_busy(self) -> bool:
        return getattr(self.recogniser.value, "waiting", 0) >= BUSY

    async def ask(self, kept: bytes, end_ms: int, *, is_pausing: bool = False) -> None:
        """Asks about what ends there. `kept` is the audio from `window_ms` to there. In a pause no
        word is cut off."""
        length = end_ms - self.window_ms
        if self.stream and length >= (SHORT_SEGMENT_MS if is_pausing else SEGMENT_MS):
            self.settle(await self.recognise(kept, end_ms, is_last=True))
            self.begin_segment(end_ms)
            return
        previous = self.guess
        self.guess = await self.recognise(kept, end_ms)
        if self.stream:
            self.settle(self.agreed(previous, end_ms))
            return
        self.settle(self.guess if is_pausing else self.agreed(previous, end_ms))
        self.shorten_window(end_ms)

    def agreed(self, previous: Sequence[HeardWord], end_ms: int) -> list[HeardWord]:
        """The words of the guess that will not change any more."""
        before = {(word.text, word.start_ms // 200) for word in previous}
        sure: list[HeardWord] = []
        for word in self.guess:
            is_old = word.end_ms <= end_ms - SETTLED_MS
            is_agreed = word.end_ms <= end_ms - UNSURE_MS and any(
                (word.text, word.start_ms // 200 + shift) in before for shift in (-1, 0, 1)
            )
            if not is_old and not is_agreed:
                break
            sure.append(word)
        return sure

    async def finish(self, kept: bytes, end_ms: int, last_voiced_ms: int) -> str:
        """Settles all words and returns the text of the utterance."""
        if self.stream or self.asked_ms < last_voiced_ms:
            self.asked_ms = end_ms
            try:
                async with asyncio.timeout(LONGEST.total_seconds()):
                    self.guess = await self.recognise(kept, end_ms, is_last=True)
            except TimeoutError:
                logger.warning("the end of an utterance was not recognised in time")
        self.settle(self.guess)
        # The last answer of all knows best.
        words = self.guess if self.is_whole else self.settled
        return " ".join(word.text for word in words)

    def drop(self) -> None:
        """Nobody needs the words any more. Does nothing after the end."""
        if self.stream is not None:
            self.stream.drop()

    async def recognise(
        self, kept: bytes, end_ms: int, *, is_last: bool = False
    ) -> list[HeardWord]:
        from realtime_emulator.speech.recognition import StreamingRecogniser, recognise_words

        try:
            recogniser = await self.recogniser.get()
            if self.may_stream and isinstance(recogniser, StreamingRecogniser):
                self.stream = self.stream or recogniser.open_stream()
                piece = tail(kept, self.fed_ms, end_ms)
                self.fed_ms = end_ms
                words = await self.stream.feed(piece, is_last=is_last)
                if words is not None:
                    return placed(words, self.window_ms)
            self.may_stream, self.stream = False, None
            window = tail(kept, self.window_ms, end_ms)
            words = await recognise_words(recogniser, window)
            return placed(words, end_ms - len(window) // BYTES_PER_MS)
        except Exception:
            logger.exception("recognition failed")
            return []

    def begin_segment(self, at_ms: int) -> None:
        """Goes on with a new stream."""
        self.window_ms = self.fed_ms = at_ms
        self.stream = None
        self.is_whole = False
        self.guess = []

    def settle(self, words: Sequence[HeardWord]) -> None:
        """Keeps those that come after the ones that are settled already."""
        new = self.following(words)
        self.settled += new
        if new:
            self.on_words(new)

    def following(self, words: Sequence[HeardWord]) -> list[HeardWord]:
        """The words after the last settled one. Two answers do not place it alike."""
        if not self.settled:
            return list(words)
        last = self.settled[-1]
        same = [
            (abs(word.start_ms - last.start_ms), index)
            for index, word in enumerate(words)
            if word.text == last.text and abs(word.start_ms - last.start_ms) <= SHIFT_MS
        ]
        if same:
            return list(words[min(same)[1] + 1 :])
        return [word for word in words if (word.start_ms + word.end_ms) / 2 > last.end_ms]

    def shorten_window(self, end_ms: int) -> None:
        if end_ms - self.window_ms <= WINDOW_MS or not self.settled:
            return
        starts = [word.start_ms for word in self.settled if word.start_ms >= end_ms - KEPT_MS]
        self.window_ms = max(self.window_ms, starts[0] if starts else self.settled_ms)
        self.is_whole = False
        self.guess = [word for word in self.guess if word.start_ms >= self.window_ms]


def tail(kept: bytes, start_ms: int, end_ms: int) -> bytes:
    """The end of the audio, from there on."""
    return kept[len(kept) - min(len(kept), (end_ms - start_ms) * BYTES_PER_MS) :]


def placed(words: Sequence[TimedWord], start_ms: int) -> list[HeardWord]:
    """The words of audio that starts there."""
    return [HeardWord(w.text, start_ms + in_ms(w.start), start_ms + in_ms(w.end)) for w in words]


def in_ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
